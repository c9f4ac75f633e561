"""L14: every state change says who, why, about what, and when."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from common.eventlog import Stored
from common.topology import PROCESSING_SERVICES
from laws.history import History
from laws.stream import Decided, Stream, at_place, dead_place
from laws.verdict import Tally, Verdict

NAMED = frozenset({"id", "type", "actor", "correlation", "at"})
CAUSED = NAMED | {"causation"}
FROM_CLIENTS = frozenset({"PlaceOrder", "RequestCancellation", "PutProduct", "ReceiveStock"})  # nothing caused them


class Provenance:
    """Each record of a history, its cause included, and each command names actor, correlation and time; and its causation,
    but for the commands of clients. A poison message need not: it changed nothing."""

    def __init__(self, history: History) -> None:
        self._tally = Tally("L14", "every state change names actor, causation, correlation and time")
        self._cut = history.cut
        self._nameless: dict[tuple[str, int, int], str] = {}  # by position
        self._poison: set[tuple[str, int, int]] = set()

    def listen(self, stream: Stream) -> None:
        for service in PROCESSING_SERVICES:
            stream.on_command(service, self._command)
            stream.on_decided(service, self._decided)
            stream.on_dead_letter(service, self._dead_letter)

    def _command(self, record: Stored) -> None:
        self._tally.checked += 1
        lacking = missing(record.headers, NAMED if record.headers.get("type") in FROM_CLIENTS else CAUSED)
        if lacking:
            sentence = f"{at_place(record)}: {record.headers.get('type')} without {lacking}"
            self._nameless[record.topic, record.partition, record.offset] = sentence

    def _decided(self, decided: Decided) -> None:
        record, frame, _ = decided
        self._tally.checked += 1
        lacking = missing(record.headers, CAUSED)
        cause = frame.cause
        if lacking:
            self._tally.broke(f"{record.key} at {at_place(record)}: without {lacking}")
        elif not (cause.id and cause.type and cause.actor and cause.at > 0):
            self._tally.broke(f"{record.key} at {at_place(record)}: its cause lacks id, type, actor or time")
        elif record.headers["causation"] != cause.id:
            self._tally.broke(f"{record.key} at {at_place(record)}: names two causes")

    def _dead_letter(self, record: Stored) -> None:
        place = dead_place(record)
        if place is not None:
            self._poison.add(place)

    def verdict(self) -> Verdict:
        for (topic, partition, offset), sentence in self._nameless.items():
            if (topic, partition, offset) not in self._poison:  # what is not consumed yet has changed nothing yet
                self._tally.judge(sentence, recent=not self._cut.surely_consumed((topic, partition), offset))
        return self._tally.verdict()


def missing(headers: Mapping[str, str], names: AbstractSet[str]) -> str:
    """The names that the headers lack, for a sentence; empty when all are there."""
    if names <= headers.keys() and all(headers.values()) and headers["at"].isdecimal() and headers["at"] != "0":
        return ""  # as it always is
    lacking = {name for name in names if not headers.get(name)}
    if not headers.get("at", "").isdecimal() or headers["at"] == "0":
        lacking.add("at")
    return ", ".join(sorted(lacking))
