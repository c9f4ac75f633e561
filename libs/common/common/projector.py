"""Folds events into a read model: data and checkpoint in one write, so a crash anywhere repeats or does nothing.

A projection is pure: `fold(document or None, event) -> document`. A record at or before a document's version is skipped, a
record that leaves a gap stops the projector: a read model that is wrong is worse than one that is late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from common import topology
from common.codec import HistoryFrame, decode_history
from common.errors import MessageError, OrderlyError
from common.eventlog import EventLog, Reader, Stored
from common.readmodel import Document, Entry, ReadModel
from common.telemetry.lag import Lag
from common.telemetry.messaging_spans import projecting
from common.telemetry.metrics import PROJECTED, PROJECTION_REBUILDS

RECENT = 1_000  # documents that are kept in memory, in case that the next batch folds them further

_log = structlog.get_logger("projector")


class Gap(OrderlyError):
    """An event is missing between the read model and the log: rebuild it with `orderly replay`."""


@dataclass(slots=True)
class Changes:
    """What one batch does to the read model. `documents` holds those that are being folded, loaded before."""

    documents: dict[str, Document] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)

    def put(self, document: Document) -> None:
        self.documents[document.key] = document
        self.touched.add(document.key)


class Projection(Protocol):
    """A service's read model as a fold. `topics` are read from all their partitions."""

    topics: Sequence[str]

    def keys(self, record: Stored) -> Sequence[str]:
        """The documents that folding this record needs."""
        ...

    def fold(self, changes: Changes, record: Stored, frame: HistoryFrame | None) -> None:
        """Put the documents and entries that the record makes. `frame` is decoded for the service's own events only."""
        ...


def advance(stored: Document | None, record: Stored, frame: HistoryFrame) -> bool:
    """Whether the record is the next one for this document; False: it was folded before. Raises `Gap`."""
    version = stored.version if stored else 0
    if frame.version <= version:
        return False
    if frame.version - len(frame.events) != version:
        raise Gap(
            f"{record.topic}/{record.partition}@{record.offset}: {record.key} is at version {version} in the read model, "
            f"this record leads to {frame.version} by {len(frame.events)} events; run `orderly replay --switch`"
        )
    return True


class Projector:
    """Reads the topics of one projection from where its read model stands. One thread calls `step`.

    `whole`: all is folded that was in the log when the model was opened; from then on it is served.
    """

    def __init__(self, service: str, projection: Projection, log: EventLog, model: ReadModel) -> None:
        self._service = service
        self._commands = topology.commands(service)
        self._events = topology.events(service)
        self._projection = projection
        self._log = log
        self._model = model
        self._reader: Reader | None = None
        self._generation = ""
        self._read: Mapping[tuple[str, int], int] = {}  # next offset to fold, as of the last step
        self._due: Mapping[tuple[str, int], int] = {}  # where the log ended when the model was opened
        self._recent: dict[str, Document] = {}  # what this reader has folded, the last one last
        self.whole = False
        self.behind = Lag()

    def step(self, timeout: float = 0.0, limit: int = 500) -> int:
        """Fold what is new; waits up to `timeout` seconds for it. Returns how many records that were."""
        reader = self._open()
        records = reader.poll(timeout, limit)
        if records:
            try:
                with projecting(self._service, records):
                    self._apply(records)
            except BaseException:
                self.close()  # what was polled must be polled again
                raise
            self.behind.done(records)
            PROJECTED.inc(len(records))
        else:
            self.behind.idle()
        self._read = reader.positions()
        if not self.whole and all(self._read[place] >= end for place, end in self._due.items()):
            self._model.serve()
            self.whole = True
        return len(records)

    def lag(self) -> int:
        """Records that are in the log and, as far as the last step knows, not yet in the read model. From any thread."""
        read = self._read
        return sum(
            max(0, end - read.get((topic, partition), 0))
            for topic in self._projection.topics
            for partition, end in self._log.end_offsets(topic).items()
        )

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._recent.clear()

    def restart(self) -> None:
        """Read again from the read model's own positions: after an error, or when the model was switched."""
        self.close()

    def _open(self) -> Reader:
        if self._reader is None or self._model.generation != self._generation:
            self.close()
            self.whole = False
            self._generation = self._model.generation
            done = self._model.positions()
            PROJECTION_REBUILDS.inc(not done)
            self._due = {
                (topic, partition): end
                for topic in self._projection.topics
                for partition, end in self._log.end_offsets(topic).items()
            }
            self._reader = self._log.reader({place: done.get(f"{place[0]}/{place[1]}", 0) for place in self._due})
        return self._reader

    def _apply(self, records: Sequence[Stored]) -> None:
        frames = [self._frame(record) for record in records]
        changes = Changes(self._documents(records, frames))
        positions: dict[str, int] = {}
        for record, frame in zip(records, frames, strict=True):
            try:
                if frame is not None or record.topic != self._events:
                    self._projection.fold(changes, record, frame)
            except MessageError as error:
                self._skip(record, error)
            if frame is not None and frame.cause.topic == self._commands:
                positions[f"{frame.cause.topic}/{frame.cause.partition}"] = frame.cause.offset + 1
            positions[f"{record.topic}/{record.partition}"] = record.offset + 1
        folded = [changes.documents[key] for key in changes.touched]
        self._model.apply(folded, changes.entries, positions)
        self._remember(folded)

    def _frame(self, record: Stored) -> HistoryFrame | None:
        """Of the service's own events."""
        try:
            return decode_history(record.value or b"") if record.topic == self._events else None
        except MessageError as error:
            self._skip(record, error)
            return None

    def _skip(self, record: Stored, error: MessageError) -> None:
        """It is no history of ours: the fold moves on, the checker of the laws will name it."""
        _log.error("cannot fold", topic=record.topic, offset=record.offset, key=record.key, error=str(error))

    def _documents(self, records: Sequence[Stored], frames: Sequence[HistoryFrame | None]) -> dict[str, Document]:
        """Those that the fold needs. One of version n is the fold of the first n events whoever made it: so what was folded
        here is as good as what is stored, and before an aggregate's first event there was none."""
        known: dict[str, Document] = {}
        wanted: dict[str, None] = {}
        born: set[str] = set()
        for record, frame in zip(records, frames, strict=True):
            if frame is not None and frame.version == len(frame.events):
                born.add(record.key)
            for key in self._projection.keys(record):
                if (recent := self._recent.get(key)) is not None:
                    known[key] = recent
                elif key not in born:
                    wanted[key] = None
        return known | dict(self._model.load(list(wanted))) if wanted else known

    def _remember(self, documents: Sequence[Document]) -> None:
        for document in documents:
            self._recent.pop(document.key, None)
            self._recent[document.key] = document
        while len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
