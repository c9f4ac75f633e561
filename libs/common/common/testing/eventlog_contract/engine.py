"""What the laws need of an engine under test, and the small vocabulary that they are written in."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import pytest

from common.eventlog import Batch, Cleanup, Consumer, EventLog, Position, Reader, Record, Stored, Topic
from common.testing.eventually import eventually

WITHIN = 20.0  # seconds that anything may take


class Engine(ABC):
    """One log, opened as often as wanted."""

    @abstractmethod
    def open(self) -> EventLog:
        """Another connection to the same log, as another process would have. The engine closes it in the end."""

    @abstractmethod
    def freeze(self, consumer: Consumer, group: str, member: str) -> None:
        """Keep this member silent for longer than its lease; when this returns it may go on, as if it had only slept."""

    @abstractmethod
    def compact(self) -> None:
        """Make compaction of compacted topics happen now, or call pytest.skip."""


class World:
    """A log under test. Topics and groups have names of their own in each test, so that a shared engine will do."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.log = engine.open()
        self.run = uuid.uuid4().hex[:8]
        self._closing: list[Callable[[], None]] = []

    def topic(self, partitions: int = 1, cleanup: Cleanup = Cleanup.DELETE, name: str = "topic") -> str:
        unique = f"{name}-{len(self._closing)}-{uuid.uuid4().hex[:8]}"
        self.log.create([Topic(unique, partitions, cleanup)])
        return unique

    def consumer(
        self, topic: str, member: str = "member-0", group: str = "group", log: EventLog | None = None
    ) -> Consumer:
        consumer = (log or self.log).consumer(topic, group=self.group(group), member=member)
        self._closing.append(consumer.close)
        return consumer

    def group(self, name: str = "group") -> str:
        return f"{name}-{self.run}"

    def freeze(self, consumer: Consumer, member: str = "member-0", group: str = "group") -> None:
        self.engine.freeze(consumer, self.group(group), member)

    def append(self, topic: str, *pairs: tuple[str, str]) -> Sequence[Position]:
        return self.log.append([record(topic, key, value) for key, value in pairs]).result(WITHIN)

    def read(self, topic: str, log: EventLog | None = None) -> list[Stored]:
        """Everything that is in the topic now."""
        log = log or self.log
        ends = log.end_offsets(topic)
        reader = log.reader({(topic, partition): 0 for partition in ends})
        try:
            found: list[Stored] = []

            def all_read() -> bool:
                found.extend(reader.poll(0.1))
                return all(reader.positions()[topic, partition] >= end for partition, end in ends.items())

            eventually(all_read, within=WITHIN)
            return found
        finally:
            reader.close()

    def values(self, topic: str) -> list[str]:
        return [text(each) for each in self.read(topic)]

    def close(self) -> None:
        for close in self._closing:
            close()


class Laws:
    """Base of all groups of laws."""

    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        raise NotImplementedError("give the engine under test")

    @pytest.fixture
    def world(self, engine: Engine) -> Iterator[World]:
        world = World(engine)
        try:
            yield world
        finally:
            world.close()


def record(topic: str, key: str, value: str) -> Record:
    return Record(topic, key, value.encode(), {"id": value})


def text(stored: Stored) -> str:
    return (stored.value or b"").decode()


def owns(consumer: Consumer, partitions: int) -> Batch:
    """Poll until the member has gained so many partitions; what it got meanwhile is in the batch."""
    found: list[Stored] = []
    owned: set[int] = set()

    def poll() -> int:
        batch = consumer.poll(0.1)
        owned.difference_update(batch.lost)
        owned.update(batch.gained)
        found.extend(batch.records)
        return len(owned)

    eventually(poll, lambda count: count == partitions, within=WITHIN)
    return Batch(found, sorted(owned))


def take(consumer: Consumer, count: int) -> list[Stored]:
    """Poll until that many records have come, and not one more."""
    found: list[Stored] = []

    def poll() -> list[str]:
        found.extend(consumer.poll(0.1, limit=count - len(found)).records)
        return [text(each) for each in found]

    eventually(poll, lambda seen: len(seen) == count, within=WITHIN)
    return found


def follow(reader: Reader, count: int, limit: int = 1000) -> list[str]:
    """Poll until that many records have come."""
    found: list[str] = []

    def poll() -> list[str]:
        batch = reader.poll(0.1, limit)
        assert len(batch) <= limit
        found.extend(text(each) for each in batch)
        return found

    eventually(poll, lambda seen: len(seen) >= count, within=WITHIN)
    return found
