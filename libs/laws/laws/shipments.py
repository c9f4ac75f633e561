"""The other half of L4: what leaves the warehouse is what was sold, all of it and nothing else."""

from common.clock import Instant
from common.topology import INVENTORY, ORDER
from laws.facts import Line, OrderCancelled, OrderConfirmed, OrderPlaced, StockShipped
from laws.history import History
from laws.stream import Decided, Stream
from laws.verdict import Tally

Sold = tuple[str, str]  # order id, SKU


class Shipments:
    """Per order and SKU: shipped = ordered if it is confirmed, else nothing. Confirming and shipping are two moments: what
    lies between them is open while it is recent. Remembers only what is uneven.
    """

    def __init__(self, history: History, tally: Tally) -> None:
        self._history = history
        self._tally = tally
        self._ordered: dict[str, list[Line]] = {}  # by undecided order
        self._due: dict[Sold, tuple[int, Instant]] = {}  # sold - shipped, and when it last changed

    def listen(self, stream: Stream) -> None:
        stream.on_decided(ORDER, self._order)
        stream.on_decided(INVENTORY, self._inventory)

    def _order(self, decided: Decided) -> None:
        order_id = decided.record.key
        for fact in decided.facts:
            match fact:
                case OrderPlaced(lines=lines):
                    self._ordered[order_id] = lines
                case OrderConfirmed():
                    for line in self._ordered.pop(order_id, ()):
                        self._move((order_id, line.sku), line.quantity, decided)
                case OrderCancelled():
                    self._ordered.pop(order_id, None)

    def _inventory(self, decided: Decided) -> None:
        for fact in decided.facts:
            if isinstance(fact, StockShipped):
                self._move((fact.order_id, decided.record.key), -fact.quantity, decided)

    def _move(self, sold: Sold, quantity: int, decided: Decided) -> None:
        due = self._due.pop(sold, (0, 0))[0] + quantity
        if due:
            self._due[sold] = due, decided.record.at

    def judge(self) -> None:
        for (order_id, sku), (due, at) in self._due.items():
            what = "sold, and not shipped" if due > 0 else "shipped, and not sold"
            sentence = f"order {order_id}: {abs(due)} of SKU {sku} {what}"
            self._tally.judge(sentence, recent=self._history.recent(at), weight=abs(due))
