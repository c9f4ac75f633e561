"""Writes a history as the platform would: every input gets its one record, every request its one message.

Nothing here decides anything; the stories say what happened. What was written can then be changed in any way.
"""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from common.clock import Instant
from common.codec import Cause, EventFrame, HistoryFrame, Sent, decode_history, encode
from common.eventlog import Stored, partition_of
from common.messages import Message, Request
from common.readmodel import Document
from common.topology import PROCESSING_SERVICES, commands, dead_letters, events
from laws.check import check_all
from laws.history import Cut, Dump, History, Place
from laws.journal import JournalEntry, Kind
from laws.ledger import LedgerRow
from laws.verdict import Verdict

START: Instant = 1_767_225_600_000
PARTITIONS = 3


class Script:
    """A recording, open to any change. Time goes on by a millisecond with each record."""

    def __init__(self) -> None:
        self.now = START
        self.records: list[Stored] = []
        self.checkpoints: list[Stored] = []
        self.consumed: Counter[Place] = Counter()
        self.documents: dict[str, dict[str, Document]] = {service: {} for service in PROCESSING_SERVICES}
        self.ledger: dict[str, LedgerRow] = {}
        self.journals: list[list[JournalEntry]] = [[]]
        self.versions: Counter[tuple[str, str]] = Counter()  # by events topic and aggregate id
        self.available: Counter[str] = Counter()  # by SKU, as far as the stories know
        self._ends: Counter[Place] = Counter()

    # Writing

    def command(self, service: str, key: str, message: Message, *, actor: str = "customer:alice") -> Stored:
        """A client's."""
        id = f"client-{len(self.records)}"
        return self.append(commands(service), key, encode(message), self._headers(id, message, actor, key))

    def decide(self, given: Stored, *happened: Message, requests: Sequence[Request] = ()) -> list[Stored]:
        """The history record of an input, and what was sent with it; returns the latter."""
        headers = given.headers
        cause = Cause(
            "command",
            headers["type"],
            headers["id"],
            headers["actor"],
            given.at,
            given.topic,
            given.partition,
            given.offset,
        )
        place = given.topic, given.partition
        self.consumed[place] = max(self.consumed[place], given.offset + 1)
        stem = f"{given.topic}-{given.partition}-{given.offset}"
        return self._decided(
            given.topic.partition(".")[0], given.key, cause, stem, headers["correlation"], happened, requests
        )

    def fire(
        self, service: str, key: str, timer: str, *happened: Message, requests: Sequence[Request] = ()
    ) -> list[Stored]:
        """A timer's history record, and what was sent with it."""
        stem = f"{service}.timer-{key}-{self.versions[events(service), key]}"
        cause = Cause("timer", timer, stem, f"service:{service}", self.now)
        return self._decided(service, key, cause, stem, key, happened, requests)

    def bury(self, given: Stored, reason: str) -> Stored:
        """The input is poison."""
        place = given.topic, given.partition
        self.consumed[place] = max(self.consumed[place], given.offset + 1)
        dead = {"dead_topic": given.topic, "dead_partition": str(given.partition), "dead_offset": str(given.offset)}
        topic = dead_letters(given.topic.partition(".")[0])
        return self.append(topic, given.key, given.value, {**given.headers, **dead, "dead_reason": reason})

    def append(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str]) -> Stored:
        self.now += 1
        place = topic, partition_of(key, PARTITIONS)
        record = Stored(*place, self._ends[place], key, value, headers, self.now)
        self._ends[place] += 1
        self.records.append(record)
        return record

    def show(self, service: str, key: str, version: int | None = None, **fields: Any) -> None:
        """The read model shows this of the aggregate, from now on."""
        version = self.versions[events(service), key] if version is None else version
        self.documents[service][key] = Document(key, version, encode({"version": version, **fields}))

    def note(self, kind: Kind, **fields: Any) -> None:
        """The client's journal goes on."""
        self.journals[0].append(JournalEntry(at=self.now, kind=kind, client="alice", **fields))

    def _decided(
        self,
        service: str,
        key: str,
        cause: Cause,
        stem: str,
        correlation: str,
        happened: Sequence[Message],
        requests: Sequence[Request],
    ) -> list[Stored]:
        self.versions[events(service), key] += len(happened)
        frames = [EventFrame(type(event).__name__, 1, msgspec.Raw(encode(event))) for event in happened]
        sent = [Sent(type(request.message).__name__, request.topic, request.key) for request in requests]
        frame = HistoryFrame(cause, self.versions[events(service), key], frames, sent)
        headers = self._headers(f"{stem}.0", None, cause.actor, correlation, cause.id)
        headers["type"] = ",".join(event.type for event in frames) or "Nothing"
        self.append(events(service), key, encode(frame), headers)
        return [
            self.append(
                request.topic,
                request.key,
                encode(request.message),
                self._headers(f"{stem}.{number}", request.message, f"service:{service}", correlation, cause.id),
            )
            for number, request in enumerate(requests, 1)
        ]

    def _headers(self, id: str, message: Message, actor: str, correlation: str, causation: str = "") -> dict[str, str]:
        headers = {"id": id, "type": type(message).__name__, "schema": "1", "at": str(self.now + 1), "actor": actor}
        return headers | {"correlation": correlation} | ({"causation": causation} if causation else {})

    # Changing what was written

    def find(self, topic: str, type: str, key: str = "") -> Stored:
        """The first such record; its type need only contain `type`."""
        found = (r for r in self.records if r.topic == topic and type in r.headers["type"] and key in ("", r.key))
        return next(found)

    def drop(self, record: Stored) -> None:
        self.records.remove(record)

    def replace(self, record: Stored, **fields: Any) -> Stored:
        changed = record._replace(**fields)
        self.records[self.records.index(record)] = changed
        return changed

    def repeat(self, record: Stored) -> Stored:
        """The same once more, at the end of its partition."""
        return self.append(record.topic, record.key, record.value, record.headers)

    def swap(self, one: Stored, other: Stored) -> None:
        """Each gets the other's place in its partition."""
        i, j = self.records.index(one), self.records.index(other)
        self.records[i], self.records[j] = other._replace(offset=one.offset), one._replace(offset=other.offset)

    def rewrite(self, record: Stored, event: str, **fields: Any) -> None:
        """Other values in the data of one event."""
        frame = decode_history(record.value or b"")
        changed = [
            EventFrame(e.type, e.v, _changed(e.data, fields) if e.type == event else e.data) for e in frame.events
        ]
        self.reframe(record, events=changed)

    def reframe(self, record: Stored, **fields: Any) -> Stored:
        """Other values in the frame of a history record."""
        frame = decode_history(record.value or b"")
        return self.replace(record, value=encode(msgspec.structs.replace(frame, **fields)))

    def relabel(self, record: Stored, **headers: str) -> Stored:
        return self.replace(record, headers={**record.headers, **headers})

    # Judging it

    def history(self, **changes: Any) -> History:
        """The recording as the checkers get it; `changes` go before what was recorded."""
        recorded: dict[str, Any] = {
            "records": self.records,
            "checkpoints": self.checkpoints,
            "now": self.now,
            "settled": True,
            "cut": Cut(consumed=dict(self.consumed)),
            "models": {service: Dump(shown.values(), self._positions()) for service, shown in self.documents.items()},
            "ledger": list(self.ledger.values()),
            "journals": self.journals,
        }
        return History(**{**recorded, **changes})

    def verdicts(self, **changes: Any) -> dict[str, Verdict]:
        """By law."""
        return {verdict.id: verdict for verdict in check_all(self.history(**changes))}

    def broken(self, **changes: Any) -> set[str]:
        return {id for id, verdict in self.verdicts(**changes).items() if verdict.verdict == "broken"}

    def _positions(self) -> dict[str, int]:
        return {f"{topic}/{partition}": end for (topic, partition), end in self._ends.items()}


def token_of(command: Stored) -> str:
    """The consistency token that is given out for a command."""
    text = f"{command.topic.partition('.')[0]}.{command.partition}.{command.offset}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _changed(data: msgspec.Raw, fields: Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(encode({**msgspec.json.decode(data), **fields}))
