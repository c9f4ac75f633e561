"""Faults of consuming from and producing to the log: around any engine, within what the port promises.

What is promised stays: order within a partition, one owner, transactions. So a duplicate is a command that was written twice,
as by a producer that was not sure, and what is reordered is what lies in different partitions.
"""

import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future

import msgspec

from common.errors import Unavailable
from common.eventlog import Batch, Consumer, EventLog, Position, Record, Stored
from common.eventlog.around import ConsumerAround, LogAround
from common.faults.catalog import APPEND_DROP, APPEND_ERRORS, DUPLICATE, FREEZE, LATENCY, REORDER
from common.faults.switches import Switches

LONGEST_FREEZE = 20.0  # seconds in one poll: a loop that gives no sign of life for longer is taken for dead
_TICK = 0.05


class FaultyLog(LogAround):
    """An event log whose consumers and appends have the faults of one service; for the rest it is the other one."""

    def __init__(self, log: EventLog, switches: Switches) -> None:
        super().__init__(log)
        self._switches = switches

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        if self._switches.strikes(APPEND_ERRORS):
            return _failed("a fault switch refused the append; nothing was written")
        written = super().append(records)
        if self._switches.strikes(DUPLICATE):
            super().append(records)
        if self._switches.strikes(APPEND_DROP):
            return _silenced(written)
        return written

    def consumer(self, topic: str, *, group: str, member: str) -> Consumer:
        return FaultyConsumer(super().consumer(topic, group=group, member=member), self._switches)


class FaultyConsumer(ConsumerAround):
    def __init__(self, consumer: Consumer, switches: Switches) -> None:
        super().__init__(consumer)
        self._switches = switches
        self._woken = threading.Event()

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        if self._switches.amount(FREEZE):
            self._freeze()
            return Batch()
        self._woken.clear()
        batch = super().poll(timeout, limit)
        if batch.records and (latency := self._switches.amount(LATENCY)):
            self._woken.wait(latency)
        if len(batch.records) > 1 and self._switches.amount(REORDER):
            return msgspec.structs.replace(batch, records=shuffled(batch.records))
        return batch

    def wake(self) -> None:
        self._woken.set()
        super().wake()

    def _freeze(self) -> None:
        until = time.monotonic() + LONGEST_FREEZE
        while time.monotonic() < until and self._switches.value(FREEZE):
            if self._woken.wait(_TICK):
                self._woken.clear()
                return


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
