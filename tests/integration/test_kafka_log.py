"""What the log in Kafka promises beyond the port: settings, old brokers, brokers that are away."""

import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from common.errors import Fenced, LogError, Unavailable
from common.eventlog import Cleanup, Record, Topic
from common.eventlog.kafka import KafkaConnection, KafkaLog, features
from common.telemetry import metrics
from common.testing.eventlog_contract.engine import follow
from common.testing.eventually import eventually
from orderly.backing.private import Brokers
from tests.integration.administration import alter_topic, delete_records, fresh, values

pytestmark = pytest.mark.kafka


@pytest.fixture
def connection(kafka: str) -> KafkaConnection:
    return KafkaConnection(kafka)


@pytest.fixture
def log(connection: KafkaConnection) -> Iterator[KafkaLog]:
    log = KafkaLog(connection)
    yield log
    log.close()


def test_topics_may_be_created_by_many_at_once(connection: KafkaConnection) -> None:
    wanted = [
        fresh(3),
        Topic(f"t-{uuid.uuid4().hex}", 2, Cleanup.COMPACT),
        Topic(f"t-{uuid.uuid4().hex}", 1, retention=5),
    ]

    def create(_: int) -> dict[str, Topic]:
        log = KafkaLog(connection)
        try:
            log.create(wanted)
            return dict(log.topics())
        finally:
            log.close()

    with ThreadPoolExecutor(6) as pool:
        for topics in pool.map(create, range(6)):
            assert {topic.name: topics[topic.name] for topic in wanted} == {topic.name: topic for topic in wanted}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retention.bytes", "1000000"),
        ("retention.ms", "60000"),
        ("cleanup.policy", "compact"),
        ("min.insync.replicas", "2"),
        ("message.timestamp.type", "CreateTime"),
    ],
)
def test_a_setting_that_somebody_changed_is_named(
    log: KafkaLog, connection: KafkaConnection, setting: str, value: str
) -> None:
    topic = fresh()
    log.create([topic])
    alter_topic(connection, topic.name, {setting: value})
    with pytest.raises(LogError, match=f"{topic.name} has {setting}={value} instead of"):
        eventually(lambda: log.create([topic]))  # a broker hears of it a little later


def test_a_reader_goes_on_at_the_first_record_that_retention_has_left(
    log: KafkaLog, connection: KafkaConnection
) -> None:
    topic = fresh()
    log.create([topic])
    log.append([Record(topic.name, "k", str(n).encode()) for n in range(10)]).result(20)
    delete_records(connection, (topic.name, 0), 7)
    assert log.start_offsets(topic.name) == {0: 7}
    reader = log.reader({(topic.name, 0): 2})
    assert follow(reader, 3) == ["7", "8", "9"]
    reader.close()


def test_another_version_of_the_client_library_is_refused(
    connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "client_version", "3.1.0")
    with pytest.raises(LogError, match=r"kafka-python 3\.1\.0"):
        KafkaLog(connection)


def test_no_broker_is_unavailable_and_says_where_it_was_sought() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        KafkaLog(KafkaConnection("127.0.0.1:1"))


def test_appends_beyond_the_capacity_are_refused_at_once_while_the_broker_is_away(own: Brokers) -> None:
    log = KafkaLog(KafkaConnection(own.bootstrap), capacity=100)
    topic = fresh()
    log.create([topic])
    log.append([Record(topic.name, "k", b"before")]).result(20)
    own.node(1).freeze()
    futures = [log.append([Record(topic.name, "k", str(n).encode())]) for n in range(500)]
    refused = [future for future in futures if future.done()]
    assert len(refused) >= 300  # one round is under way, the next one waits
    assert all(isinstance(future.exception(30), Unavailable) for future in futures)
    own.node(1).thaw()
    eventually(lambda: not log.append([Record(topic.name, "k", b"after")]).exception(20), within=30)
    seen = values(log, topic.name)
    assert (seen[0], seen[-1]) == ("before", "after")
    log.close()


def test_appends_over_the_death_of_a_broker_are_in_order_and_none_is_twice(own: Brokers) -> None:
    log = KafkaLog(KafkaConnection(own.bootstrap))
    topic = fresh()
    log.create([topic])
    stop = threading.Event()
    acknowledged: list[str] = []

    def write() -> None:
        for n in itertools.count():
            if stop.is_set():
                return
            if not log.append([Record(topic.name, "k", str(n).encode())]).exception(30):
                acknowledged.append(str(n))

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(2):
        reached = len(acknowledged) + 50
        eventually(lambda reached=reached: len(acknowledged) > reached, within=30)  # type: ignore[misc]
        own.kill()
        own.restart()
    eventually(lambda: len(acknowledged) > reached + 50, within=30)
    stop.set()
    writer.join()
    seen = [int(each) for each in values(log, topic.name)]
    assert seen == sorted(set(seen))
    assert set(map(int, acknowledged)) <= set(seen)
    log.close()


def test_a_member_that_commits_for_long_without_a_poll_keeps_its_lease(
    log: KafkaLog, connection: KafkaConnection
) -> None:
    topic, target = fresh(), fresh()
    log.create([topic, target])
    short = KafkaLog(connection, lease=1_000)
    consumer = short.consumer(topic.name, group=topic.name, member="0")
    eventually(lambda: consumer.poll(0.1).gained, within=20)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        with consumer.transaction() as transaction:
            transaction.send(Record(target.name, "k", b"v"))
    consumer.close()
    short.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Brokers]:
    brokers = Brokers.start(tmp_path, 3)
    yield brokers
    brokers.stop()


@pytest.mark.timeout(300)
def test_one_of_three_brokers_may_die(three: Brokers) -> None:
    log = KafkaLog(KafkaConnection(three.bootstrap, replication=3), lease=2_000)
    source, target = fresh(6), fresh()
    log.create([source, target])
    consumer = log.consumer(source.name, group="g", member="0")
    numbers = itertools.count()
    acknowledged: set[str] = set()

    def copy() -> int:
        number = str(next(numbers))
        if not log.append([Record(source.name, number, number.encode())]).exception(30):
            acknowledged.add(number)
        with suppress(Unavailable, Fenced), consumer.transaction() as transaction:
            for each in consumer.poll(0.01).records:
                transaction.send(Record(target.name, "k", each.value))
        return len(acknowledged)

    for victim in (1, 2, 3):
        until = len(acknowledged) + 20
        eventually(lambda until=until: copy() > until, within=60)  # type: ignore[misc]
        three.kill(victim)
        eventually(lambda until=until: copy() > until + 20, within=60)  # type: ignore[misc]
        eventually(log.copies_missing, within=60)
        three.restart(victim)
        eventually(log.copies_missing, lambda missing: missing == 0, within=60)
    everything = {text for partition in range(6) for text in values(log, source.name, partition)}
    assert everything >= acknowledged
    eventually(lambda: (copy(), {*values(log, target.name)})[1], lambda copied: copied >= everything, within=60)
    copied = values(log, target.name)
    assert len(copied) == len(set(copied))
    consumer.close()
    log.close()


@pytest.fixture
def old(tmp_path: Path) -> Iterator[str]:
    """Brokers that keep a producer's epoch from one transaction to the next."""
    brokers = Brokers.start(tmp_path, format_arguments=["--feature", "transaction.version=1"])
    yield brokers.bootstrap
    brokers.stop()


def test_a_broker_without_an_epoch_for_each_transaction_is_refused_or_degraded(old: str) -> None:
    with pytest.raises(LogError, match=r"transaction\.version=2"):
        KafkaLog(KafkaConnection(old))
    log = KafkaLog(KafkaConnection(old, degraded=True))
    assert log.degraded and next(iter(metrics.LOG_DEGRADED.collect())).samples[0].value == 1
    source, target = fresh(), fresh(2)
    log.create([source, target])
    consumer = log.consumer(source.name, group="g", member="0")
    for n in range(5):
        log.append([Record(source.name, "k", str(n).encode())]).result(20)
        batch = eventually(lambda: consumer.poll(0.1).records, within=20)
        with consumer.transaction() as transaction:
            transaction.send(Record(target.name, "k", batch[0].value, partition=0))
            transaction.send(Record(target.name, "k", batch[0].value, partition=1))
    assert values(log, target.name) == ["0", "1", "2", "3", "4"]
    assert log.committed(source.name, group="g") == {0: 5}
    consumer.close()
    log.close()


def test_a_member_reads_nothing_more_of_what_it_gives_up(connection: KafkaConnection) -> None:
    log = KafkaLog(connection, lease=20_000)
    topic = fresh(4)
    log.create([topic])
    first = log.consumer(topic.name, group=topic.name, member="a")
    eventually(lambda: first.poll(0.1).gained, lambda gained: len(gained) == 4, within=30)
    second = log.consumer(topic.name, group=topic.name, member="b")
    second.poll(0.1)
    first._membership._beat_at = (
        time.monotonic() + 60
    )  # so that it hears of the second when it looks whether it still is one
    time.sleep(0.5)
    log.append([Record(topic.name, "k", b"", {}, partition) for partition in range(4)]).result(10)
    in_hand = {record.partition for record in first.poll(5).records}
    until = time.monotonic() + 2
    elsewhere: set[int] = set()
    while time.monotonic() < until:
        elsewhere |= {record.partition for record in second.poll(0.1).records}
    assert in_hand and not in_hand & elsewhere
    first.close()
    second.close()
    log.close()


def test_a_member_that_gave_partitions_up_and_could_not_follow_writes_no_offsets_for_them(
    connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = KafkaLog(connection, lease=20_000)
    topic = fresh(4)
    log.create([topic])
    first = log.consumer(topic.name, group=topic.name, member="a")
    eventually(lambda: first.poll(0.1).gained, lambda gained: len(gained) == 4, within=30)
    second = log.consumer(topic.name, group=topic.name, member="b")
    second.poll(0.1)

    async def away() -> None:
        raise Unavailable("the coordinator of transactions is away")

    monkeypatch.setattr(first._transactions, "begin", away)
    first._transactions.sound = False
    with pytest.raises(Unavailable):
        eventually(lambda: first.poll(0.1), lambda _: False, within=30)
    eventually(lambda: second.poll(0.1).gained, within=30)
    with pytest.raises(Fenced), first.transaction() as transaction:
        transaction.send(Record(topic.name, "k", b"", {}, 0))
    first.close()
    second.close()
    log.close()
