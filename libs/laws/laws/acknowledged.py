"""L1: an acknowledged order is never lost."""

from common.eventlog import Stored
from common.topology import ORDER
from laws.facts import OrderPlaced
from laws.history import History
from laws.journal import JournalEntry
from laws.stream import Decided, Stream, at_place, dead_place
from laws.verdict import Tally, Verdict


class AcknowledgedOrders:
    """What a client journal says was acknowledged is in the log. And, journals or not: a PlaceOrder that the log has, and
    that was consumed, has become an order or a dead letter.

    Journals are written before the log is read, so what they say needs no time to come true.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L1", "an acknowledged order is never lost")
        self._history = history
        self._acknowledged: dict[str, str] = {}  # not yet found in the log; by whom
        self._wished: dict[tuple[int, int], Stored] = {}  # consumed, not yet seen to have become anything
        self._buried: set[tuple[int, int]] = set()
        self._placed: set[str] = set()

    def listen(self, stream: Stream) -> None:
        stream.on_journal(self._journal)
        stream.on_command(ORDER, self._command)
        stream.on_decided(ORDER, self._decided)
        stream.on_dead_letter(ORDER, self._dead_letter)

    def _journal(self, session: str, entry: JournalEntry) -> None:
        if entry.kind == "ack" and entry.order_id:
            self._tally.checked += 1
            self._acknowledged[entry.order_id] = entry.client

    def _command(self, record: Stored) -> None:
        if record.headers.get("type") != "PlaceOrder":
            return
        self._acknowledged.pop(record.key, None)
        if self._history.cut.surely_consumed((record.topic, record.partition), record.offset):
            self._tally.checked += 1
            if record.key not in self._placed:
                self._wished[record.partition, record.offset] = record

    def _decided(self, decided: Decided) -> None:
        record, frame, facts = decided
        if frame.cause.type == "PlaceOrder":
            for fact in facts:
                if isinstance(fact, OrderPlaced):
                    self._placed.add(record.key)
                    self._acknowledged.pop(record.key, None)
            if record.key in self._placed:
                self._wished.pop((frame.cause.partition, frame.cause.offset), None)

    def _dead_letter(self, record: Stored) -> None:
        place = dead_place(record)
        if place is not None:
            self._buried.add(place[1:])

    def verdict(self) -> Verdict:
        for order_id, client in self._acknowledged.items():
            self._tally.broke(f"order {order_id}: acknowledged to {client}, and nowhere in the log")
        for place, record in self._wished.items():
            if record.key not in self._placed and place not in self._buried:
                sentence = f"order {record.key}: its PlaceOrder {at_place(record)} was consumed and placed no order"
                self._tally.judge(sentence, recent=self._history.recent(record.at))
        return self._tally.verdict()
