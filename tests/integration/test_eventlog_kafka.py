"""The log in Kafka keeps the laws of the port."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from common.eventlog import Cleanup, Consumer, EventLog
from common.eventlog.kafka import KafkaConnection, KafkaLog
from common.testing.eventlog_contract import Engine, EventLogContract
from common.testing.eventually import eventually
from tests.integration.administration import alter_topic, roll

pytestmark = pytest.mark.kafka

LEASE = 2_000
EAGER = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}


class KafkaEngine(Engine):
    def __init__(self, bootstrap: str) -> None:
        self._connection = KafkaConnection(bootstrap)
        self._logs: list[KafkaLog] = []

    def open(self) -> EventLog:
        self._logs.append(KafkaLog(self._connection, lease=LEASE))
        return self._logs[-1]

    def freeze(self, consumer: Consumer, group: str, member: str) -> None:
        time.sleep(LEASE / 1000 * 1.1)  # a member whose thread does not poll sends no heartbeat

    def compact(self) -> None:
        """Kafka compacts a segment when there is a younger one."""
        log = self._logs[0]
        for topic in log.topics().values():
            if topic.cleanup is Cleanup.COMPACT and any(log.end_offsets(topic.name).values()):
                alter_topic(self._connection, topic.name, EAGER)
                time.sleep(0.2)  # a segment's age at which it is rolled
                roll(self._connection, topic)
                eventually(partial(self._keys, topic.name), lambda keys: len(set(keys)) == len(keys))

    def _keys(self, topic: str) -> list[str]:
        log = self._logs[0]
        ends = log.end_offsets(topic)
        reader = log.reader({(topic, partition): 0 for partition in ends})
        try:
            found: list[str] = []
            while any(reader.positions()[topic, partition] < end for partition, end in ends.items()):
                found += [each.key for each in reader.poll(0.1)]
            return found
        finally:
            reader.close()

    def close(self) -> None:
        for log in self._logs:
            log.close()


class TestKafkaLog(EventLogContract):
    @pytest.fixture
    def engine(self, kafka: str) -> Iterator[Engine]:
        engine = KafkaEngine(kafka)
        yield engine
        engine.close()
