"""L7: an aggregate's history has neither gap nor repeat."""

from common.topology import PROCESSING_SERVICES
from laws.history import History
from laws.stream import Decided, Stream, Unreadable, at_place
from laws.verdict import Tally, Verdict


class Versions:
    """Each record leads from the version before it to its own by exactly its events, starting at 0; and can be read."""

    def __init__(self, history: History) -> None:
        self._tally = Tally("L7", "per aggregate, event versions are 1..n without gap or repeat")
        self._versions: dict[tuple[str, str], int] = {}

    def listen(self, stream: Stream) -> None:
        stream.on_unreadable(self._unreadable)
        for service in PROCESSING_SERVICES:
            stream.on_decided(service, self._decided)

    def _decided(self, decided: Decided) -> None:
        record, frame, _ = decided
        aggregate = record.topic, record.key
        before = self._versions.get(aggregate, 0)
        self._tally.checked += 1
        if not frame.version and not frame.events:
            return  # a late message to an aggregate that was finished and forgotten: it changed nothing
        if frame.version != before + len(frame.events):
            self._tally.broke(
                f"{record.key} at {at_place(record)}: version {before}, then {len(frame.events)} events to {frame.version}",
                abs(frame.version - before - len(frame.events)),
            )
        if frame.events or frame.version != before:
            self._versions[aggregate] = frame.version

    def _unreadable(self, unreadable: Unreadable) -> None:
        record, reason = unreadable
        self._tally.checked += 1
        self._tally.broke(f"{record.key} at {at_place(record)}: unreadable: {reason}", weight=2**62)

    def verdict(self) -> Verdict:
        return self._tally.verdict()
