"""A recorded history: everything the laws are judged by, as plain data.

It may be recorded while the platform runs. What makes that sound is the cut (see gather.py): the laws say "broken" only of
what cannot be explained by having looked at one place a moment before another; the rest is "unknown" until it is settled.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from common.clock import MINUTE, Instant, Millis
from common.decider import Behaviour
from common.eventlog import Stored
from common.readmodel import Document
from laws.journal import JournalEntry
from laws.ledger import LedgerRow

Place = tuple[str, int]  # topic, partition

PATIENCE: Millis = 5 * MINUTE


class Documents(Protocol):
    """The part of the read-model port that the laws need: every `ReadModel` is one."""

    def load(self, keys: Sequence[str]) -> Mapping[str, Document]: ...

    def positions(self) -> Mapping[str, int]: ...


class Dump:
    """A read model that was written down: `Documents` from plain values."""

    def __init__(self, documents: Iterable[Document], positions: Mapping[str, int]) -> None:
        self._documents = {document.key: document for document in documents}
        self._positions = dict(positions)

    def load(self, keys: Sequence[str]) -> Mapping[str, Document]:
        return {key: self._documents[key] for key in keys if key in self._documents}

    def positions(self) -> Mapping[str, int]:
        return self._positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where the history begins and ends, by place.

    `consumed`: the group's next offset, seen before the ends of the histories; `consumed_after`: seen after them (None: the
    same). `late`: commands from this offset on may have been written after the ends. `starts`: the first offset that
    retention has left, and `kept_since`: before it, commands may be gone.
    """

    consumed: Mapping[Place, int] = field(default_factory=dict)
    consumed_after: Mapping[Place, int] | None = None
    late: Mapping[Place, int] = field(default_factory=dict)
    starts: Mapping[Place, int] = field(default_factory=dict)
    kept_since: Instant = 0

    def surely_consumed(self, place: Place, offset: int) -> bool:
        return offset < self.consumed.get(place, 0)

    def maybe_consumed(self, place: Place, offset: int) -> bool:
        after = self.consumed if self.consumed_after is None else self.consumed_after
        return offset < after.get(place, 0)

    def is_late(self, place: Place, offset: int) -> bool:
        late = self.late.get(place)
        return late is not None and offset >= late

    def is_kept(self, place: Place, offset: int) -> bool:
        return offset >= self.starts.get(place, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`records`: commands, histories and dead letters of all services, in order within each partition; time order across
    them keeps the memory of the checkers small, any order is right. `checkpoints`: the records of the state topics.

    `settled`: nothing moves any more and had the time to end, so what is still open is broken. `now`: when the recording
    ended. `whole_since`: when the last fault ended; nobody's patience is counted from before it.

    What is None or absent (ledger, journals, read models, behaviours) is not checked against.
    """

    records: Iterable[Stored]
    now: Instant
    cut: Cut = field(default_factory=Cut)
    settled: bool = False
    patience: Millis = PATIENCE
    whole_since: Instant = 0
    checkpoints: Iterable[Stored] = ()
    models: Mapping[str, Documents] = field(default_factory=dict)
    behaviours: Mapping[str, Behaviour[Any]] = field(default_factory=dict)
    ledger: Iterable[LedgerRow] | None = None
    journals: Iterable[Iterable[JournalEntry]] = ()

    def recent(self, at: Instant) -> bool:
        """Whether what began at `at` may still be under way."""
        return not self.settled and self.now - max(at, self.whole_since) <= self.patience
