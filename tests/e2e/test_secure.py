"""`orderly up --engine kafka --secure`: our Kafka and Redis let in only whom they know, and let them do only what they need."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import redis
from system import System, lawful, orderly

from common import engine, redis_url, settings, topology
from common.engine.kafka import connection_of
from common.errors import LogError
from common.eventlog import EventLog, Record
from common.eventlog.kafka import KafkaLog
from common.security.access import IN_REDIS, OPERATOR
from common.settings import Keeping, OnKafka
from common.testing.eventually import eventually
from orderly import keeping
from orderly.folder import Folder

pytestmark = [pytest.mark.process, pytest.mark.local, pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(240)]

WITHIN = 10.0
SERVICE, OTHER = topology.ORDER, topology.PAYMENT


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with lawful(System(tmp_path_factory.mktemp("data"), ("--secure",), engine="kafka")) as found:
        yield found


def told(system: System, user: str) -> dict[str, str]:
    """What the supervisor tells this user's process."""
    folder = Folder.at(system.data)
    return {"ORDERLY_DATA": str(system.data), "ORDERLY_ENGINE": "kafka"} | dict(
        keeping.servers_of(folder).environment(folder, user)
    )


def log_as(system: System, user: str) -> EventLog:
    return engine.of(settings.read(Keeping, told(system, user))).open_log()


def redis_as(system: System, user: str) -> redis.Redis:
    own = settings.read(Keeping, told(system, user))
    url = redis_url.complete(own.redis_url, ca_file=own.redis_ca_file, password_file=own.redis_password_file)
    return redis.Redis.from_url(url, socket_timeout=WITHIN)


def test_the_story_of_orders_ends_as_it_should(system: System) -> None:
    assert "all 5 orders ended as they should" in orderly("demo", data=system.data).stdout
    orderly("replay", SERVICE, "--switch", data=system.data)


@pytest.mark.parametrize("topic_of", [topology.events, topology.state, topology.dead_letters])
def test_the_broker_lets_no_service_write_what_is_anothers_to_say(
    system: System, topic_of: Callable[[str], str]
) -> None:
    with closing(log_as(system, SERVICE)) as log, pytest.raises(LogError, match="TopicAuthorizationFailed"):
        log.append([Record(topic_of(OTHER), "k", b"forged")]).result(WITHIN)


@pytest.mark.parametrize("topic_of", [topology.commands, topology.state, topology.dead_letters])
def test_the_broker_lets_no_service_read_what_is_for_another(system: System, topic_of: Callable[[str], str]) -> None:
    with (
        closing(log_as(system, SERVICE)) as log,
        closing(log.reader({(topic_of(OTHER), 0): 0})) as reader,
        pytest.raises(LogError, match="TopicAuthorizationFailed"),
    ):
        reader.poll(WITHIN)


def test_the_broker_lets_no_service_take_anothers_partitions(system: System) -> None:
    with closing(log_as(system, SERVICE)) as log, pytest.raises(LogError, match="GroupAuthorizationFailed"):
        log.committed(topology.events(OTHER), group=topology.processor_group(OTHER))


def test_who_needs_nothing_in_kafka_sees_nothing(system: System) -> None:
    with closing(log_as(system, topology.GATEWAY)) as log:
        assert log.topics() == {}


def test_kafka_answers_neither_plain_text_nor_anybody_without_a_certificate(system: System) -> None:
    connection = connection_of(settings.read(OnKafka, told(system, SERVICE)))
    for other in (
        replace(connection, security_protocol="PLAINTEXT"),
        replace(connection, cert_file=None, key_file=None),
    ):
        with pytest.raises(LogError):
            KafkaLog(other)


@pytest.mark.parametrize("user", [SERVICE, topology.GATEWAY, OPERATOR])
def test_redis_lets_no_user_touch_what_is_not_its_own(system: System, user: str) -> None:
    keys = {f"orderly:{{{OTHER}}}:current", "orderly:limit:x", "foreign"}
    with redis_as(system, user) as server:
        for key in keys - {key for key in keys if readable(user, key)}:
            with pytest.raises(redis.exceptions.NoPermissionError):
                server.get(key)
        for key in keys:
            if user == OPERATOR or not readable(user, key):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    server.set(key, "forged")
        for command in ("FLUSHALL", "KEYS *", "CONFIG GET *", "ACL LIST", "MONITOR", "SHUTDOWN"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                server.execute_command(*command.split())


def readable(user: str, key: str) -> bool:
    return any(key.startswith(pattern.removesuffix("*")) for pattern in IN_REDIS[user].keys)


def test_redis_answers_neither_plain_text_nor_anybody_without_a_password(system: System) -> None:
    own = settings.read(Keeping, told(system, SERVICE))
    nobody = own.redis_url.replace(f"{SERVICE}@", "")
    with (
        redis.Redis.from_url(nobody.replace("rediss", "redis"), socket_timeout=WITHIN) as server,
        pytest.raises(redis.ConnectionError),
    ):
        server.ping()
    with (
        redis.Redis.from_url(redis_url.complete(nobody, ca_file=own.redis_ca_file)) as server,
        pytest.raises(redis.AuthenticationError),
    ):
        server.ping()


def test_what_the_servers_know_of_passwords_is_for_their_owner_alone(system: System) -> None:
    acl = system.data / "redis" / "users.acl"
    passwords = sorted((system.data / "keys" / "redis").iterdir())
    assert [path.name for path in passwords] == sorted([*IN_REDIS, "redis"])
    for path in (acl, *passwords):
        assert path.stat().st_mode & 0o077 == 0
    assert not any(path.read_text() in acl.read_text() for path in passwords)


async def test_the_servers_take_new_certificates_and_orders_go_on(system: System) -> None:
    await system.once("tea", 100)
    ports = [service["port"] for service in system.status()["services"][:2]]
    before = [shown(port) for port in ports]
    orderly("certs", "rotate", data=system.data)
    taken = asyncio.to_thread(
        lambda: eventually(lambda: all(shown(port) != old for port, old in zip(ports, before, strict=True)), within=60)
    )
    async with system.client("alice") as alice:
        placed = await alice.place([("tea", 1)], wait=10)
        assert (await alice.final(placed["order_id"]))["status"] == "confirmed"
    assert await taken


def shown(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))
