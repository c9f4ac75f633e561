"""The first half of L8: every document shows the fold of the events, and no read model stays behind."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from common.clock import Instant
from common.readmodel import Document
from common.topology import events
from laws.folds import FOLDS, Fold
from laws.history import Documents, History
from laws.stream import Decided, Stream
from laws.verdict import Tally

CHUNK = 500  # documents loaded at a time

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Expected(msgspec.Struct, frozen=True, gc=False):
    """What the document of an aggregate must show, and since which record."""

    version: int
    partition: int
    offset: int
    at: Instant
    shown: Any


class ReadModel:
    """One fold, compared with the documents that the read model has in the end.

    A read model that is read while it works may be behind the recorded history, or ahead of it. Behind its own checkpoint it
    may never be.
    """

    def __init__(self, history: History, tally: Tally, fold: Fold, documents: Documents) -> None:
        self._history = history
        self._tally = tally
        self._fold = fold
        self._documents = documents
        self._expected: dict[str, Expected] = {}
        self._ends: dict[int, tuple[int, Instant]] = {}  # last record, by partition

    def listen(self, stream: Stream) -> None:
        stream.on_decided(self._fold.source, self._decided)

    def _decided(self, decided: Decided) -> None:
        record, frame, facts = decided
        self._ends[record.partition] = record.offset, record.at
        if not frame.events:
            return
        before = self._expected.get(record.key)
        shown = old = before.shown if before else self._fold.initial
        for fact in facts:
            shown = self._fold.evolve(shown, fact)
        if self._fold.each_version or shown is not old:
            self._expected[record.key] = Expected(frame.version, record.partition, record.offset, record.at, shown)

    def judge(self) -> None:
        positions = self._documents.positions()
        topic = events(self._fold.source)
        folded = {partition: positions.get(f"{topic}/{partition}", 0) for partition in self._ends}
        for partition, (last, at) in self._ends.items():
            if folded[partition] <= last:
                sentence = f"read model {self._fold.model}: {last + 1 - folded[partition]} behind {topic}/{partition}"
                self._tally.judge(sentence, recent=self._history.recent(at), weight=last + 1 - folded[partition])
        for names in _chunks(iter(self._expected)):
            found = self._documents.load([self._fold.key(name) for name in names])
            for name in names:
                self._tally.checked += 1
                expected = self._expected[name]
                self._compare(found.get(self._fold.key(name)), expected, name, folded[expected.partition])

    def _compare(self, document: Document | None, expected: Expected, name: str, folded: int) -> None:
        what = f"read model {self._fold.model}: {self._fold.key(name)}"
        version = document.version if document else 0
        if document is None or version < expected.version:
            recent = folded <= expected.offset and self._history.recent(expected.at)
            self._tally.judge(f"{what} shows version {version}, the log has {expected.version}", recent=recent)
        elif version > expected.version:
            sentence = f"{what} shows version {version}, the recorded log only {expected.version}"
            self._tally.judge(sentence, recent=not self._history.settled)
        else:
            self._compare_fields(document, expected, what)

    def _compare_fields(self, document: Document, expected: Expected, what: str) -> None:
        try:
            body = _decode(document.body)
        except msgspec.MsgspecError as error:
            self._tally.broke(f"{what} is unreadable: {error}")
            return
        due = {"version": expected.version} if "version" in body else {}
        due |= msgspec.to_builtins(expected.shown._asdict())
        wrong = [
            f"{name} {body.get(name)!r} instead of {value!r}" for name, value in due.items() if body.get(name) != value
        ]
        if wrong:
            self._tally.broke(f"{what} at version {expected.version} shows {', '.join(wrong)}", len(wrong))


def read_models(history: History, tally: Tally) -> list[ReadModel]:
    return [
        ReadModel(history, tally, fold, history.models[fold.model]) for fold in FOLDS if fold.model in history.models
    ]


def _chunks(names: Iterator[str]) -> Iterator[Sequence[str]]:
    while chunk := list(islice(names, CHUNK)):
        yield chunk
