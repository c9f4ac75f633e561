"""L3: every order ends, once, and in time."""

from common.clock import Instant
from common.topology import ORDER
from laws.facts import OrderCancelled, OrderConfirmed, OrderPlaced, PaymentParked
from laws.history import History
from laws.stream import Decided, Stream, at_place
from laws.verdict import Tally, Verdict


class Endings:
    """Each placed order ends in exactly one of confirmed and cancelled. One that is pending for longer than the patience
    is broken, with the reason where an operation was parked for a person; a younger one is still open."""

    def __init__(self, history: History) -> None:
        self._tally = Tally("L3", "every order ends in exactly one of confirmed and cancelled, in time")
        self._history = history
        self._pending: dict[str, Instant] = {}  # since when
        self._parked: dict[str, str] = {}  # why
        self._ended: set[str] = set()

    def listen(self, stream: Stream) -> None:
        stream.on_decided(ORDER, self._decided)

    def _decided(self, decided: Decided) -> None:
        record, _, facts = decided
        for fact in facts:
            match fact:
                case OrderPlaced():
                    self._tally.checked += 1
                    self._pending[record.key] = record.at
                case OrderConfirmed() | OrderCancelled():
                    self._end(decided, type(fact).__name__)
                case PaymentParked(operation, detail) if record.key in self._pending:
                    self._parked[record.key] = f"{operation} was parked: {detail}"

    def _end(self, decided: Decided, ending: str) -> None:
        order_id, where = decided.record.key, at_place(decided.record)
        if order_id in self._ended:
            self._tally.broke(f"order {order_id}: {ending} at {where}, after it had ended", weight=2**62)
        elif order_id not in self._pending:
            self._tally.broke(f"order {order_id}: {ending} at {where}, and was never placed", weight=2**62)
        self._ended.add(order_id)
        self._pending.pop(order_id, None)
        self._parked.pop(order_id, None)

    def verdict(self) -> Verdict:
        for order_id, since in self._pending.items():
            age = self._history.now - since
            sentence = f"order {order_id}: pending for {age / 1000:.1f} s"
            if order_id in self._parked:
                self._tally.broke(f"{sentence}; {self._parked[order_id]}; redrive it from the dead letters", age)
            else:
                self._tally.judge(sentence, recent=self._history.recent(since), weight=age)
        return self._tally.verdict()
