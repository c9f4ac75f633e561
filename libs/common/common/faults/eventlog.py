"""Faults of consuming from and producing to the log: around any engine, within what the port promises.

What is promised stays: order within a partition, one owner, transactions. So a duplicate is a command that was written twice,
as by a producer that was not sure, and what is reordered is what lies in different partitions.
"""

import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

from common.errors import Unavailable
from common.eventlog import Batch, Consumer, EventLog, Position, Reader, Record, Stored, Topic, Transaction
from common.faults.catalog import APPEND_DROP, APPEND_ERRORS, DUPLICATE, FREEZE, LATENCY, REORDER
from common.faults.switches import Switches

LONGEST_FREEZE = 20.0  # seconds in one poll: a loop that gives no sign of life for longer is taken for dead
_TICK = 0.05


class FaultyLog:
    """An event log whose consumers and appends have the faults of one service; for the rest it is the other one."""

    def __init__(self, log: EventLog, switches: Switches) -> None:
        self._log = log
        self._switches = switches

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        if self._switches.strikes(APPEND_ERRORS):
            return _failed("a fault switch refused the append; nothing was written")
        written = self._log.append(records)
        if self._switches.strikes(DUPLICATE):
            self._log.append(records)
        if self._switches.strikes(APPEND_DROP):
            return _silenced(written)
        return written

    def consumer(self, topic: str, *, group: str, member: str) -> Consumer:
        return FaultyConsumer(self._log.consumer(topic, group=group, member=member), self._switches)

    def create(self, topics: Sequence[Topic]) -> None:
        self._log.create(topics)

    def topics(self) -> Mapping[str, Topic]:
        return self._log.topics()

    def reader(self, positions: Mapping[tuple[str, int], int]) -> Reader:
        return self._log.reader(positions)

    def start_offsets(self, topic: str) -> Mapping[int, int]:
        return self._log.start_offsets(topic)

    def end_offsets(self, topic: str) -> Mapping[int, int]:
        return self._log.end_offsets(topic)

    def committed(self, topic: str, *, group: str) -> Mapping[int, int]:
        return self._log.committed(topic, group=group)

    def close(self) -> None:
        self._log.close()


class FaultyConsumer:
    def __init__(self, consumer: Consumer, switches: Switches) -> None:
        self._consumer = consumer
        self._switches = switches
        self._woken = threading.Event()

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        if self._switches.amount(FREEZE):
            self._freeze()
            return Batch()
        self._woken.clear()
        batch = self._consumer.poll(timeout, limit)
        if batch.records and (latency := self._switches.amount(LATENCY)):
            self._woken.wait(latency)
        if len(batch.records) > 1 and self._switches.amount(REORDER):
            return replace(batch, records=shuffled(batch.records))
        return batch

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(partition, offset)

    def transaction(self) -> Transaction:
        return self._consumer.transaction()

    def wake(self) -> None:
        self._woken.set()
        self._consumer.wake()

    def close(self) -> None:
        self._consumer.close()

    def _freeze(self) -> None:
        until = time.monotonic() + LONGEST_FREEZE
        while time.monotonic() < until and self._switches.value(FREEZE) and not self._woken.wait(_TICK):
            pass


def shuffled(records: Sequence[Stored]) -> Sequence[Stored]:
    """The same records in any order that keeps each partition's own."""
    waiting: dict[int, deque[Stored]] = defaultdict(deque)
    for record in records:
        waiting[record.partition].append(record)
    order = [record.partition for record in records]
    random.shuffle(order)
    return [waiting[partition].popleft() for partition in order]


def _silenced(written: "Future[Sequence[Position]]") -> "Future[Sequence[Position]]":
    """Done when `written` is, and tells nothing of it."""
    silent: Future[Sequence[Position]] = Future()
    lost = Unavailable("a fault switch lost the word of it; it may be written")
    written.add_done_callback(lambda _: silent.set_exception(lost))
    return silent


def _failed(why: str) -> "Future[Sequence[Position]]":
    future: Future[Sequence[Position]] = Future()
    future.set_exception(Unavailable(why))
    return future
