"""Who watches the aggregates of a processor hears of every change that is committed, of nothing else, and decides nothing."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from common.clock import Instant
from common.messages import Message

S = TypeVar("S")


class Move(NamedTuple, Generic[S]):
    """One decision that changed an aggregate, at `at`. `asked_at`: when the message was sent that it was made upon."""

    partition: int
    key: str
    events: Sequence[Message]
    before: S
    after: S
    asked_at: Instant
    at: Instant
    traceparent: str


class Watcher(Protocol[S]):
    """Told by the processor's thread, in the order of its decisions."""

    def moved(self, move: Move[S]) -> None: ...

    def restored(self, partition: int, key: str, state: S, at: Instant) -> None:
        """It was found in the log: this process owns it from now on."""
        ...

    def lost(self, partition: int) -> None:
        """Another owns it now, with all that is in it."""
        ...


class Unwatched(Generic[S]):
    """Nobody watches."""

    def moved(self, move: Move[S]) -> None: ...

    def restored(self, partition: int, key: str, state: S, at: Instant) -> None: ...

    def lost(self, partition: int) -> None: ...
