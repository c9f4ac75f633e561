"""The memory log keeps the laws of the port, and its own."""

from collections.abc import Iterator

import pytest

from common.eventlog import Consumer, EventLog, Record, Topic
from common.eventlog.memory import MemoryLog
from common.testing.eventlog_contract import Engine, EventLogContract


class MemoryEngine(Engine):
    def __init__(self) -> None:
        self.log = MemoryLog()

    def open(self) -> EventLog:
        return self.log

    def freeze(self, consumer: Consumer, group: str, member: str) -> None:
        self.log.expire(group, member)

    def compact(self) -> None:
        self.log.compact()


class TestMemoryLog(EventLogContract):
    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        yield MemoryEngine()


def test_an_append_is_done_at_once() -> None:
    log = MemoryLog(clock=lambda: 42)
    log.create([Topic("t", 1)])
    assert log.append([Record("t", "k", b"v")]).done()
    (stored,) = log.reader({("t", 0): 0}).poll(0.0)
    assert stored.at == 42
