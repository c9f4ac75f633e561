"""Members and transactions of the memory log, fenced as those of the engines on disk."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from common.eventlog.assignment import Assignment
from common.eventlog.memory.group import Group
from common.eventlog.memory.partition import Partition
from common.eventlog.memory.store import Store
from common.eventlog.port import Batch, Position, Record, Stored

_UNSETTLED = -1  # no group has this generation


class MemoryConsumer:
    def __init__(self, store: Store, topic: str, group: Group, member: str) -> None:
        self._store = store
        self._group = group
        self._member = member
        self._session = 0
        self._joined = False
        self._seen = _UNSETTLED  # the group's generation when the assignment was last brought up to date
        self._woken = False
        self._assignment = Assignment()
        self._partitions = [store.partition(topic, number) for number in range(group.partitions)]

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        deadline = time.monotonic() + timeout if timeout > 0 else 0.0
        with self._store.changed:
            while True:
                gained, lost = self._keep_up()
                ends = {partition: self._partitions[partition].end for partition in self._assignment.owned}
                records = self._assignment.read(ends, limit, self._fetch)
                if records or gained or lost or self._woken or not self._store.wait(deadline):
                    self._woken = False
                    return Batch(records, gained, lost)

    def seek(self, partition: int, offset: int) -> None:
        self._assignment.seek(partition, offset)

    def transaction(self) -> "MemoryTransaction":
        return MemoryTransaction(self._store, self)

    def wake(self) -> None:
        self._woken = True
        with self._store.changed:
            self._store.changed.notify_all()

    def close(self) -> None:
        with self._store.changed:
            if self._group.session_of(self._member) == self._session:
                self._group.remove(self._member)
            self._joined = False
            self._store.changed.notify_all()

    def commit(self, placed: Sequence[tuple[Partition, Record]]) -> Sequence[Position]:
        with self._store.changed:
            uncommitted = self._assignment.uncommitted
            if not placed and not uncommitted:
                return []
            try:
                self._group.check(self._session, self._assignment.owned, self._member)
            except BaseException:
                self._joined = False
                raise
            positions = self._store.write(placed)
            self._group.offsets.update(uncommitted)
            self._assignment.committed()
            return positions

    def abort(self) -> None:
        self._assignment.rewind()

    def _keep_up(self) -> tuple[list[int], list[int]]:
        """Join, or follow the group's changes. Returns (gained, lost)."""
        group = self._group
        joins = not self._joined or group.session_of(self._member) != self._session
        if not joins and group.generation == self._seen:
            return [], []
        if joins:
            successor = group.session_of(self._member)
            if self._session and successor is not None and successor != self._session:
                return self._assignment.update({}, anew=True)  # it stands by while its successor lives
            self._session = self._store.new_session()
            self._joined = True
            group.join(self._member, self._session)
        before = group.generation
        settled = group.balance(self._session, self._assignment.busy)
        if joins or group.generation != before:
            self._store.changed.notify_all()
        self._seen = group.generation if settled else _UNSETTLED
        return self._assignment.update(group.owned_by(self._session), anew=joins)

    def _fetch(self, partition: int, offset: int, limit: int) -> tuple[Sequence[Stored], int]:
        return self._partitions[partition].read(offset, limit)


class MemoryTransaction:
    def __init__(self, store: Store, consumer: MemoryConsumer) -> None:
        self._store = store
        self._consumer = consumer
        self._placed: list[tuple[Partition, Record]] = []
        self._positions: Sequence[Position] = ()

    @property
    def positions(self) -> Sequence[Position]:
        return self._positions

    def send(self, record: Record) -> None:
        self._placed.append((self._store.place(record), record))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if error is None:
            self._positions = self._consumer.commit(self._placed)
        else:
            self._consumer.abort()
