"""Deterministic, and never sleeps unless asked to: the log for simulations and tests.

Time passes only where the test says so: a lease ends by `expire`, compaction and retention happen by `compact`.
Futures are done when `append` returns.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from common.clock import Clock, system_clock
from common.errors import LogError
from common.eventlog.memory.consumer import MemoryConsumer
from common.eventlog.memory.group import Group
from common.eventlog.memory.partition import Partition
from common.eventlog.memory.reader import MemoryReader
from common.eventlog.memory.store import Store
from common.eventlog.port import Position, Record, Topic


class MemoryLog:
    """An `EventLog` without a disk. What was acknowledged lives as long as this object."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._store = Store(clock)

    def create(self, topics: Sequence[Topic]) -> None:
        store = self._store
        with store.changed:
            for topic in topics:
                known = store.topics.get(topic.name, topic)
                if known != topic:
                    raise LogError(f"{topic} exists as {known}: settings are for life; use these, or another name")
            for topic in topics:
                store.topics[topic.name] = topic
                for number in range(topic.partitions):
                    store.partitions.setdefault((topic.name, number), Partition(number))

    def topics(self) -> Mapping[str, Topic]:
        with self._store.changed:
            return dict(self._store.topics)

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        done: Future[Sequence[Position]] = Future()
        store = self._store
        try:
            with store.changed:
                done.set_result(store.write([(store.place(record), record) for record in records]))
        except (LogError, UnicodeError) as error:
            done.set_exception(error)
        return done

    def consumer(self, topic: str, *, group: str, member: str) -> MemoryConsumer:
        store = self._store
        with store.changed:
            members = store.groups[group].setdefault(topic, Group(store.topic(topic).partitions))
            return MemoryConsumer(store, topic, members, member)

    def reader(self, positions: Mapping[tuple[str, int], int]) -> MemoryReader:
        return MemoryReader(self._store, positions)

    def start_offsets(self, topic: str) -> Mapping[int, int]:
        with self._store.changed:
            return {number: partition.start() for number, partition in self._partitions(topic).items()}

    def end_offsets(self, topic: str) -> Mapping[int, int]:
        with self._store.changed:
            return {number: partition.end for number, partition in self._partitions(topic).items()}

    def committed(self, topic: str, *, group: str) -> Mapping[int, int]:
        with self._store.changed:
            self._store.topic(topic)
            members = self._store.groups[group].get(topic)
            return dict(members.offsets) if members else {}

    def copies_missing(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is in flight, and nothing is held."""

    def expire(self, group: str, member: str) -> None:
        """The member was silent for longer than its lease: others may take over, and if it lives it is fenced."""
        with self._store.changed:
            for members in self._store.groups[group].values():
                members.remove(member)
            self._store.changed.notify_all()

    def compact(self) -> None:
        """Compaction and retention, as of now."""
        store = self._store
        with store.changed:
            for (topic, _), partition in store.partitions.items():
                partition.clean(store.topics[topic], store.clock())

    def _partitions(self, topic: str) -> dict[int, Partition]:
        return {number: self._store.partition(topic, number) for number in range(self._store.topic(topic).partitions)}
