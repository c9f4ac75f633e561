"""What Orderly asks of an event log. Every engine passes `common.testing.eventlog_contract` unchanged.

    topic = partitions; partition = records in one order, numbered by offset from 0, gaps allowed, never reused

- Records of one key are in one partition, so they are read in the order in which they were acknowledged.
- What `append` or a commit has acknowledged survives kill -9 of every process at any moment.
- A transaction's records and the offsets of the input that caused them become visible together or never.
- In a group each partition has one owner. An owner that lost it (silent for longer than its lease) is fenced: its commit
  raises `Fenced` and leaves nothing, even if it only slept.
- Readers never see a record of a transaction that did not commit.

The model is Kafka's (KIP-98, KIP-447), so that Kafka is one of the engines. A consumer, a reader and a transaction belong
to one thread; `EventLog.append` and `Consumer.wake` may be called from any.
"""

import enum
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol

import msgspec

from common.clock import Instant, Millis


class Cleanup(enum.Enum):
    DELETE = "delete"  # old records go when they are older than the retention
    COMPACT = "compact"  # the last record of each key stays; a record without value erases its key


@dataclass(frozen=True, slots=True)
class Topic:
    """`retention` None: kept for ever. The number of partitions is fixed for life."""

    name: str
    partitions: int
    cleanup: Cleanup = Cleanup.DELETE
    retention: Millis | None = None


class Position(NamedTuple):
    """The place of one record. For a reader, the next record to read."""

    topic: str
    partition: int
    offset: int


class Record(msgspec.Struct, frozen=True):
    """A record to be written. `value` None erases the key in a compacted topic (a tombstone).

    `partition` None: chosen by `partition_of(key)`.
    """

    topic: str
    key: str
    value: bytes | None
    headers: Mapping[str, str] = {}
    partition: int | None = None


class Stored(NamedTuple):
    """A record as the log has it. `at`: when the log took it."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]
    at: Instant


class Batch(msgspec.Struct, frozen=True):
    """What one poll brought. Handle `lost`, then `gained`, then `records`; a gained partition starts at its committed
    offset (0 if there is none) unless `seek` says otherwise, and its records may already be in the same batch."""

    records: Sequence[Stored] = ()
    gained: Sequence[int] = ()
    lost: Sequence[int] = ()


class Transaction(AbstractContextManager["Transaction"], Protocol):
    """Leaving the block commits what was sent together with the offsets of everything polled since the last commit.

    Leaving it by an exception aborts: nothing was written, and the next poll delivers the same input again. `Fenced` on
    leaving says the same of this member for good: the next poll joins the group anew (`lost`, then `gained`).
    `Unavailable` on leaving: the outcome is unknown; the next poll reports all partitions lost and gained again, so that
    the caller restores its state from what really was committed.
    """

    def send(self, record: Record) -> None: ...

    @property
    def positions(self) -> Sequence[Position]:
        """After the commit: where each sent record went, in the order of the sends."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Consumer(Protocol):
    """A member of a group that reads one topic, alone on each partition it owns."""

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        """At most `limit` records; waits up to `timeout` seconds for the first, or until `wake`.

        Also keeps the lease, so call it at least every second or so. Raises `Unavailable`.
        """
        ...

    def seek(self, partition: int, offset: int) -> None:
        """The next poll reads this owned partition from `offset`. Records already handed out are not taken back."""
        ...

    def transaction(self) -> Transaction: ...

    def wake(self) -> None:
        """Make a waiting poll return now. May be called from any thread, and by a signal handler."""
        ...

    def close(self) -> None:
        """Leave the group: others may take over at once. Uncommitted input is delivered to them again."""
        ...


class Reader(Protocol):
    """Reads partitions from given positions, owned by nobody, committed nowhere."""

    def poll(self, timeout: float, limit: int = 1000) -> Sequence[Stored]:
        """In order within each partition; waits up to `timeout` seconds for the first record. Empty: nothing new.

        A position that retention has removed goes on at the first record still there.
        """
        ...

    def positions(self) -> Mapping[tuple[str, int], int]:
        """(topic, partition) -> next offset to read, past gaps too: equal to the end when all has been read."""
        ...

    def close(self) -> None: ...


class EventLog(Protocol):
    """A connection to the log of this process. Threads may share it; consumers and readers made from it they may not."""

    def create(self, topics: Sequence[Topic]) -> None:
        """Idempotent. Raises `LogError` where a topic exists with other settings: they are fixed for life."""
        ...

    def topics(self) -> Mapping[str, Topic]: ...

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        """Write outside of any transaction, durable before the future is done; concurrent appends share a commit.

        Never blocks (fit for an event loop): too many in flight, or a log that cannot be reached, fails the future with
        `Unavailable`. Several records are taken together or not at all only by engines that can: do not rely on it.
        """
        ...

    def consumer(self, topic: str, *, group: str, member: str) -> Consumer:
        """`member` is a stable name (a slot, a pod's ordinal): a restart under the same name takes over at once and
        fences its predecessor."""
        ...

    def reader(self, positions: Mapping[tuple[str, int], int]) -> Reader: ...

    def start_offsets(self, topic: str) -> Mapping[int, int]:
        """The first offset still there, by partition."""
        ...

    def end_offsets(self, topic: str) -> Mapping[int, int]:
        """One past the last committed record, by partition; 0 where there is none."""
        ...

    def committed(self, topic: str, *, group: str) -> Mapping[int, int]:
        """The group's next offset to consume, by partition; absent where it never committed."""
        ...

    def copies_missing(self) -> int:
        """How many copies of partitions are behind or away, of those that there should be. 0: as much may be lost as was
        promised; an engine that keeps no copies has none missing."""
        ...

    def close(self) -> None:
        """Finish appends in flight, then let go of everything."""
        ...


def partition_of(key: str, partitions: int) -> int:
    """The same key goes to the same partition, in every process and every engine, for ever."""
    return zlib.crc32(key.encode()) % partitions
