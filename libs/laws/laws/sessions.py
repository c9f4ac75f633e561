"""L9: what a session has seen once stays seen, and what it wrote it sees."""

import base64
import binascii

from common.eventlog import Stored
from common.topology import PROCESSING_SERVICES, commands
from laws.history import History
from laws.journal import JournalEntry
from laws.stream import Decided, Stream, dead_place
from laws.verdict import Tally, Verdict

FINAL = ("confirmed", "cancelled")


class Sessions:
    """Per session and order: versions never decrease, a final status never changes, what was seen is never 404 again.
    A read that presents a token shows at least the version that the token's command led to."""

    def __init__(self, history: History) -> None:
        self._tally = Tally("L9", "a session never reads backwards, and reads its own writes")
        self._versions: dict[tuple[str, str], int] = {}
        self._finals: dict[tuple[str, str], str] = {}
        self._presented: dict[tuple[str, int, int], list[tuple[int, str]]] = {}  # (version read, by whom) by position

    def listen(self, stream: Stream) -> None:
        stream.on_journal(self._journal)
        for service in PROCESSING_SERVICES:
            stream.on_decided(service, self._decided)
            stream.on_dead_letter(service, self._dead_letter)

    def _journal(self, session: str, entry: JournalEntry) -> None:
        if not entry.order_id:
            return
        who = f"{entry.client} reading order {entry.order_id}"
        if entry.kind == "fail":
            self._failed(session, entry, who)
        elif entry.kind == "read" or entry.version is not None:
            self._tally.checked += 1
            self._seen(session, entry, who)
        if entry.kind == "read" and entry.token and entry.version is not None:
            self._expect(entry.token, entry.version, who)

    def _failed(self, session: str, entry: JournalEntry, who: str) -> None:
        if entry.code == 404:
            self._tally.checked += 1
            if (session, entry.order_id) in self._versions:
                self._tally.broke(f"{who}: 404, after it had been seen")
            elif entry.token:
                self._tally.broke(f"{who}: 404, with the token of its own write")

    def _seen(self, session: str, entry: JournalEntry, who: str) -> None:
        key = session, entry.order_id
        before = self._versions.get(key, 0)
        version = before if entry.version is None else entry.version
        if version < before:
            self._tally.broke(f"{who}: version {version} after {before}", before - version)
        self._versions[key] = max(version, before)
        final = self._finals.get(key)
        if final is not None and entry.status and entry.status != final:
            self._tally.broke(f"{who}: {entry.status} after {final}")
        elif entry.status in FINAL:
            self._finals[key] = entry.status

    def _expect(self, token: str, version: int, who: str) -> None:
        position = _position(token)
        if position is None:
            self._tally.open(
                f"{who}: whether it saw its write cannot be told, {token!r} is no token that is known here"
            )
        else:
            self._presented.setdefault(position, []).append((version, who))

    def _decided(self, decided: Decided) -> None:
        if not self._presented:
            return
        cause = decided.frame.cause
        for version, who in self._presented.pop((cause.topic, cause.partition, cause.offset), ()):
            if version < decided.frame.version:
                self._tally.broke(
                    f"{who}: version {version}, its own write led to {decided.frame.version}",
                    decided.frame.version - version,
                )

    def _dead_letter(self, record: Stored) -> None:
        """A poisoned write has no version to be seen."""
        place = dead_place(record)
        if place is not None:
            self._presented.pop(place, None)

    def verdict(self) -> Verdict:
        """The journals were written before the log was read: what a read has waited for is in the log."""
        for (topic, partition, offset), reads in self._presented.items():
            for _, who in reads:
                self._tally.broke(f"{who}: answered its token, but {topic}/{partition}@{offset} has no history")
        return self._tally.verdict()


def _position(token: str) -> tuple[str, int, int] | None:
    """A token is opaque to clients; the laws may know that it names the position of a command."""
    try:
        service, partition, offset = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split(".")
        return commands(service), int(partition), int(offset)
    except (ValueError, binascii.Error):
        return None
