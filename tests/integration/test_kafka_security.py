"""A Kafka that lets in only who it knows, and lets them do only what they need: docs/kafka-access.md, executed."""

import gc
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from kafka import KafkaAdminClient
from kafka.admin import ACL
from typer.testing import CliRunner

from common import topology
from common.clock import HOUR, system_clock
from common.errors import LogError
from common.eventlog import EventLog, Record
from common.eventlog.kafka import KafkaConnection, KafkaLog
from common.eventlog.port import partition_of
from common.security import access
from common.security.access import Right
from common.security.authority import Authority
from common.testing.eventually import eventually
from orderly import kafka_rights
from orderly.__main__ import app
from orderly.backing import locks
from orderly.backing.private import Brokers
from orderly.failure import Failure

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),  # see `_collected`
]

WITHIN = 60.0
SERVICE = topology.ORDER
OTHERS = [service for service in topology.PROCESSING_SERVICES if service != SERVICE]
TOPICS = topology.topics()
PARTITION = partition_of("k", topology.PARTITIONS)
DOCUMENT = Path(__file__).parents[2] / "docs" / "kafka-access.md"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


class Files(NamedTuple):
    """PEM files of one identity: key, certificate, and both in one, as a broker wants them."""

    key: Path
    certificate: Path
    both: Path


def rows(heading: str) -> list[Right]:
    """The table under this heading of the document."""
    section = DOCUMENT.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [Right(*row) for row in re.findall(r"^\| ([a-z ]+) \| `(.+?)` \| (\w+) \|", section, re.MULTILINE)]


def test_the_document_says_what_the_code_declares() -> None:
    assert rows("A service") == [*access.OF_A_SERVICE, access.TO_SET_A_LEASE]
    assert rows("The operator") == [*access.OF_THE_OPERATOR]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """kafka-python 3.0.12 leaves the sockets of failed handshakes to the garbage collector: here, and not in a later test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(system_clock())


def identity(authority: Authority, pki: Path, name: str) -> Files:
    made = authority.sign([x509.IPAddress(ip_address("127.0.0.1"))], system_clock(), HOUR, subject=name)
    files = Files(*(pki / f"{name}-{what}.pem" for what in Files._fields))
    for path, content in zip(files, (made.key, made.certificate, made.key + made.certificate), strict=True):
        path.write_bytes(content)
    return files


def trust(authority: Authority, pki: Path, name: str = "authority") -> Path:
    path = pki / f"{name}.pem"
    path.write_bytes(authority.stored().certificate)
    return path


def guarded(authority: Authority, pki: Path, protocol: str) -> dict[str, str]:
    """What every guarded broker of these tests has. Its controller speaks on a listener of its own, as nobody."""
    return {
        "listener.security.protocol.map": f"CLIENT:{protocol},CONTROLLER:PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(identity(authority, pki, "broker").both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(trust(authority, pki)),
        "authorizer.class.name": locks.AUTHORIZER,
        "super.users": "User:broker;User:CN=broker;User:ANONYMOUS",
    }


@pytest.fixture(scope="module")
def by_password(authority: Authority, pki: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaConnection]:
    """To a broker that wants TLS and a log-in, as the super user."""
    users = {name: uuid.uuid4().hex for name in ("broker", SERVICE, access.OPERATOR)}
    for name, password in users.items():
        (pki / f"{name}.password").write_text(password)
    settings = {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": (
            f'{SCRAM} required username="broker" password="{users["broker"]}";'
        ),
    }
    known = [f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]
    brokers = Brokers.start(
        tmp_path_factory.mktemp("kafka"),
        properties=guarded(authority, pki, "SASL_SSL") | settings,
        format_arguments=known,
    )
    yield KafkaConnection(
        brokers.bootstrap,
        security_protocol="SASL_SSL",
        ca_file=trust(authority, pki),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="broker",
        sasl_password_file=pki / "broker.password",
    )
    brokers.stop()


@pytest.fixture(scope="module")
def by_certificate(
    authority: Authority, pki: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaConnection]:
    """To a broker that wants a certificate of its clients, as the super user."""
    settings = guarded(authority, pki, "SSL") | {"ssl.client.auth": "required"}
    brokers = Brokers.start(tmp_path_factory.mktemp("kafka"), properties=settings)
    own = identity(authority, pki, "broker")
    yield KafkaConnection(
        brokers.bootstrap,
        security_protocol="SSL",
        ca_file=trust(authority, pki),
        cert_file=own.certificate,
        key_file=own.key,
    )
    brokers.stop()


def work(log: EventLog) -> None:
    """What a service does from start to end. Raises LogError."""
    log.create(TOPICS)
    commands = topology.commands(SERVICE)
    log.append([Record(commands, "k", b"command")]).result(WITHIN)
    with closing(log.consumer(commands, group=topology.processor_group(SERVICE), member="0")) as consumer:
        eventually(lambda: consumer.poll(0.1).records, within=WITHIN)
        with consumer.transaction() as transaction:
            for topic in (topology.events(SERVICE), topology.state(SERVICE), topology.dead_letters(SERVICE)):
                transaction.send(Record(topic, "k", b"outcome"))
            for other in OTHERS:
                transaction.send(Record(topology.commands(other), "k", b"request"))
    log.committed(commands, group=topology.processor_group(SERVICE))
    heard = [topology.events(service) for service in topology.PROCESSING_SERVICES]
    ends = {topic: log.end_offsets(topic)[PARTITION] for topic in heard}
    with closing(log.reader({(topic, PARTITION): 0 for topic in heard})) as reader:
        eventually(
            lambda: (reader.poll(0.1), reader.positions())[1],
            lambda at: all(at[t, PARTITION] >= ends[t] for t in heard),
        )
        reader.poll(1.0)  # records come first, the refusal of another partition after them


def test_a_log_in_over_tls_is_all_that_is_needed(by_password: KafkaConnection) -> None:
    with closing(KafkaLog(by_password)) as log:
        work(log)


def test_a_certificate_is_all_that_is_needed(by_certificate: KafkaConnection) -> None:
    with closing(KafkaLog(by_certificate)) as log:
        work(log)


def refusal(connection: KafkaConnection) -> str:
    """What is said to one that is not let in; a refusal takes seconds, not minutes."""
    with pytest.raises(LogError) as caught:
        KafkaLog(connection)
    return str(caught.value)


def test_a_wrong_password_is_told(by_password: KafkaConnection, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong")
    said = refusal(replace(by_password, sasl_password_file=wrong))
    assert "SCRAM-SHA-512 broker" in said
    assert "password" in said


def test_a_password_file_that_is_not_there_is_told(by_password: KafkaConnection, tmp_path: Path) -> None:
    assert "nowhere" in refusal(replace(by_password, sasl_password_file=tmp_path / "nowhere"))


def test_another_protocol_than_the_brokers_is_told(by_password: KafkaConnection) -> None:
    assert "wants another protocol" in refusal(replace(by_password, security_protocol="SASL_PLAINTEXT"))


def test_a_broker_of_another_authority_is_not_trusted(by_password: KafkaConnection, pki: Path) -> None:
    stranger = trust(Authority.create(system_clock()), pki, "stranger")
    assert "certificate verify failed" in refusal(replace(by_password, ca_file=stranger))


def test_a_client_without_certificate_is_told(by_certificate: KafkaConnection) -> None:
    assert "certificate" in refusal(replace(by_certificate, cert_file=None, key_file=None))


def test_a_client_of_another_authority_is_told(by_certificate: KafkaConnection, pki: Path) -> None:
    own = identity(Authority.create(system_clock()), pki, "stranger")
    assert "certificate" in refusal(replace(by_certificate, cert_file=own.certificate, key_file=own.key))


def prepare(as_whom: KafkaConnection, *arguments: str) -> Any:
    """`orderly kafka prepare`, told by the environment as whom."""
    told = {
        "ORDERLY_KAFKA_BOOTSTRAP": as_whom.bootstrap,
        "ORDERLY_KAFKA_SECURITY_PROTOCOL": as_whom.security_protocol,
        "ORDERLY_KAFKA_CA_FILE": str(as_whom.ca_file),
        "ORDERLY_KAFKA_SASL_MECHANISM": as_whom.sasl_mechanism,
        "ORDERLY_KAFKA_SASL_USERNAME": as_whom.sasl_username,
        "ORDERLY_KAFKA_SASL_PASSWORD_FILE": str(as_whom.sasl_password_file),
    }
    done = CliRunner().invoke(app, ["kafka", "prepare", "--json", *arguments], env=told)
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def admin(by_password: KafkaConnection) -> Iterator[KafkaAdminClient]:
    """When all is prepared."""
    prepare(by_password, "--acls")
    admin = KafkaAdminClient(**by_password.client())
    yield admin
    admin.close()


def acls(right: Right) -> list[ACL]:
    return [kafka_rights.acl(f"User:{SERVICE}", named) for named in access.expand(right, SERVICE)]


def test_what_was_prepared_is_prepared(by_password: KafkaConnection, admin: KafkaAdminClient) -> None:
    again = prepare(by_password, "--acls")
    assert not any(topic["made"] for topic in again["topics"])
    given = {it["principal"]: (it["added"], it["there"], it["more"]) for it in again["rights"]}
    assert given == {f"User:{user}": (0, len(access.in_kafka(user)), []) for user in access.USERS}


def test_rights_are_given_to_certificates_as_well(by_password: KafkaConnection, admin: KafkaAdminClient) -> None:
    (first, *_) = prepare(by_password, "--acls", "--principal", "User:CN={service},O=shop")["rights"]
    assert first["principal"] == f"User:CN={access.USERS[0]},O=shop"
    assert first["added"] == len(access.in_kafka(access.USERS[0]))


def test_who_may_not_give_rights_is_told(as_service: KafkaConnection, admin: KafkaAdminClient) -> None:
    with pytest.raises(Failure, match=f"SCRAM-SHA-512 {SERVICE} give rights") as caught:
        prepare(as_service, "--acls")
    assert "super.users" in caught.value.advice


@pytest.fixture
def as_service(by_password: KafkaConnection, pki: Path) -> KafkaConnection:
    return replace(by_password, sasl_username=SERVICE, sasl_password_file=pki / f"{SERVICE}.password")


def works(connection: KafkaConnection) -> bool:
    try:
        with closing(KafkaLog(connection)) as log:
            work(log)
    except LogError:
        return False
    return True


def test_the_declared_rights_suffice(as_service: KafkaConnection, admin: KafkaAdminClient) -> None:
    assert eventually(lambda: works(as_service), within=WITHIN)


@pytest.mark.parametrize("right", access.OF_A_SERVICE, ids=[f"{it.name}-{it.operation}" for it in access.OF_A_SERVICE])
def test_each_right_that_is_taken_away_is_missed(
    as_service: KafkaConnection, admin: KafkaAdminClient, right: Right
) -> None:
    admin.delete_acls(acls(right))
    try:
        assert eventually(lambda: not works(as_service), within=WITHIN)
    finally:
        admin.create_acls(acls(right))
        assert eventually(lambda: works(as_service), within=WITHIN)


@pytest.mark.parametrize("topic_of", [topology.events, topology.state, topology.dead_letters])
def test_no_service_writes_what_is_anothers_to_say(
    as_service: KafkaConnection, admin: KafkaAdminClient, topic_of: Callable[[str], str]
) -> None:
    assert eventually(lambda: works(as_service), within=WITHIN)
    topic = topic_of(OTHERS[0])
    with closing(KafkaLog(as_service)) as log:
        before = log.end_offsets(topic)
        with pytest.raises(LogError):
            log.append([Record(topic, "k", b"forged")]).result(WITHIN)
        assert log.end_offsets(topic) == before


def test_the_operator_reads_everything_and_writes_commands_alone(
    by_password: KafkaConnection, admin: KafkaAdminClient, pki: Path
) -> None:
    operator = replace(
        by_password, sasl_username=access.OPERATOR, sasl_password_file=pki / f"{access.OPERATOR}.password"
    )
    with closing(KafkaLog(operator)) as log:
        assert {topic.name for topic in topology.topics()} <= set(log.topics())
        log.committed(topology.commands(SERVICE), group=topology.processor_group(SERVICE))
        with closing(log.reader({(topology.state(SERVICE), 0): 0})) as reader:
            reader.poll(0.1)
        log.append([Record(topology.commands(SERVICE), "k", b"once more")]).result(WITHIN)
        for topic in (topology.events(SERVICE), topology.state(SERVICE), topology.dead_letters(SERVICE)):
            with pytest.raises(LogError):
                log.append([Record(topic, "k", b"forged")]).result(WITHIN)
