"""L12: each poison message is set aside once, with its reason, and its partition moved on."""

from common.eventlog import Stored
from common.topology import PROCESSING_SERVICES
from laws.history import History
from laws.stream import Stream, at_place, dead_place
from laws.verdict import Tally, Verdict


class Poison:
    """A dead letter names the reason and the place of the message; no place is named twice, and each was committed past.

    Parked work, which waits in the same topic for a person, was no poison: it has no such headers.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L12", "each poison message is in dead letters once, and its partition moved on")
        self._history = history
        self._names: set[str] = set()  # positions; of timers, ids

    def listen(self, stream: Stream) -> None:
        for service in PROCESSING_SERVICES:
            stream.on_dead_letter(service, self._dead_letter)

    def _dead_letter(self, record: Stored) -> None:
        headers = record.headers
        if "dead_topic" not in headers and "dead_reason" not in headers:
            return
        self._tally.checked += 1
        where = at_place(record)
        if not headers.get("dead_reason"):
            self._tally.broke(f"{where}: set aside without a reason")
        place = dead_place(record)
        if place is None and headers.get("dead_topic"):
            self._tally.broke(f"{where}: does not say from where it was set aside")
            return
        name = "{}/{}@{}".format(*place) if place else headers.get("id", "")
        if name in self._names:
            self._tally.broke(f"{where}: {name} was set aside before")
        self._names.add(name)
        if place and not self._history.cut.maybe_consumed(place[:2], place[2]):
            sentence = f"{where}: its partition has not moved on past {name}"
            self._tally.judge(sentence, recent=self._history.recent(record.at))

    def verdict(self) -> Verdict:
        return self._tally.verdict()
