"""A process's connection to the log, which may fail at the worst moment: around a commit."""

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from common.errors import Unavailable
from common.eventlog import Batch, Consumer, EventLog, Position, Reader, Record, Transaction

Fate = Literal["commit", "die before", "die after", "cut before", "cut after", "sleep"]


class Crash(BaseException):
    """The process is dead: like kill -9, nothing in it may catch this."""


class Fates(Protocol):
    """Whoever decides what befalls a process."""

    def wrote(self, topics: Iterable[str]) -> None:
        """These topics have new records, perhaps."""
        ...

    def of_commit(self) -> Fate: ...

    def of_poll(self) -> bool:
        """Whether the log can be reached."""
        ...

    def sleep(self) -> None:
        """Come back when the lease has run out and others have done what they like."""
        ...

    def limit(self) -> int:
        """How many records a poll brings at most."""
        ...


class FlakyLog:
    """A log whose readers cannot always be had: a process that restores its state meets it."""

    def __init__(self, log: EventLog, fates: Fates) -> None:
        self._log = log
        self._fates = fates

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def reader(self, positions: Mapping[tuple[str, int], int]) -> Reader:
        if not self._fates.of_poll():
            raise Unavailable("the log cannot be reached; nothing was read")
        return self._log.reader(positions)


class Link:
    """A `Consumer` on another one, which it makes anew after a connection was cut. Never waits."""

    def __init__(self, connect: Callable[[], Consumer], fates: Fates) -> None:
        self.patience = 0.0  # how long the last poll was ready to wait, in seconds
        self.rebalanced = False  # by the last poll
        self._connect = connect
        self._fates = fates
        self._consumer = connect()
        self._owned: set[int] = set()
        self._cut = False

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        self.patience = timeout
        if not self._fates.of_poll():
            raise Unavailable("the log cannot be reached; nothing was polled")
        lost: list[int] = []
        if self._cut:  # whatever we owned, we must restore from what really was committed
            self._cut, lost = False, sorted(self._owned)
            self._consumer = self._connect()
        batch = self._consumer.poll(0, min(limit, self._fates.limit()))
        self.rebalanced = bool(batch.gained or batch.lost or lost)
        self._owned = self._owned - set(lost) - set(batch.lost) | set(batch.gained)
        return Batch(batch.records, batch.gained, [*lost, *batch.lost]) if lost else batch

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(partition, offset)

    def transaction(self) -> "LinkedTransaction":
        return LinkedTransaction(self, self._consumer.transaction(), self._fates)

    def wake(self) -> None:
        self._consumer.wake()

    def close(self) -> None:
        self._consumer.close()

    def cut(self) -> None:
        self._cut = True


class LinkedTransaction:
    def __init__(self, link: Link, inner: Transaction, fates: Fates) -> None:
        self._link = link
        self._inner = inner
        self._fates = fates
        self._topics: set[str] = set()

    @property
    def positions(self) -> "list[Position]":
        return list(self._inner.positions)

    def send(self, record: Record) -> None:
        self._topics.add(record.topic)
        self._inner.send(record)

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._fates.wrote(self._topics)
        if error is not None or not self._topics:
            self._inner.__exit__(kind, error, trace)
            return
        fate = self._fates.of_commit()
        match fate:
            case "die before" | "cut before":
                gone = Crash()
                self._inner.__exit__(Crash, gone, None)
            case "sleep":
                self._fates.sleep()
                self._inner.__exit__(None, None, None)
            case _:
                self._inner.__exit__(None, None, None)
        if fate in ("die before", "die after"):
            raise Crash
        if fate in ("cut before", "cut after"):
            self._link.cut()
            raise Unavailable("the connection was cut around the commit; whether it happened is unknown")
