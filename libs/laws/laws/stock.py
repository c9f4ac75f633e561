"""L4: nothing that was received is lost, and nothing is sold twice."""

from dataclasses import dataclass, field

from common.clock import HOUR, MINUTE, Instant, Millis
from common.topology import INVENTORY
from laws.facts import StockReceived, StockReleased, StockReserved, StockShipped
from laws.history import History
from laws.shipments import Shipments
from laws.stream import Decided, Stream, at_place
from laws.verdict import Tally, Verdict

RECEIPTS_REMEMBERED: Millis = (
    7 * 24 * HOUR - MINUTE
)  # so long the same receipt counts once, and a minute for slow commits


@dataclass(slots=True)
class Shelf:
    """One SKU, by its events alone. `free` and `shipped` move by the quantities that the events state, `held` by the holds
    as they were made: a release or shipment of another quantity than was held does not add up."""

    received: int = 0
    free: int = 0
    held: int = 0
    shipped: int = 0
    holds: dict[str, int] = field(default_factory=dict)  # by order
    receipts: dict[str, Instant] = field(default_factory=dict)  # when each was last counted

    def reserve(self, order_id: str, quantity: int) -> None:
        self.free -= quantity
        self.held += quantity
        self.holds[order_id] = self.holds.get(order_id, 0) + quantity

    def end_hold(self, order_id: str) -> None:
        self.held -= self.holds.pop(order_id, 0)

    def complaint(self) -> str | None:
        if min(self.received, self.free, self.held, self.shipped) < 0:
            return "something is negative"
        if self.received != self.free + self.held + self.shipped:
            return "it does not add up"
        return None

    def imbalance(self) -> int:
        return abs(self.received - self.free - self.held - self.shipped) + abs(min(0, self.free))

    def __str__(self) -> str:
        return f"received {self.received}, free {self.free}, held {self.held}, shipped {self.shipped}"


class StockBalance:
    """received = free + held + shipped, none negative, after every single record of a SKU; an order has one hold of it, a
    receipt counts once. In the end, what was shipped is what was sold (shipments.py).

    One wrong record leaves every later sum wrong: a SKU is reported where it first breaks, and at its worst.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L4", "per SKU: received = free + held + shipped, none negative, at every moment")
        self._shelves: dict[str, Shelf] = {}
        self._shipments = Shipments(history, self._tally)

    def listen(self, stream: Stream) -> None:
        stream.on_decided(INVENTORY, self._decided)
        self._shipments.listen(stream)

    def _decided(self, decided: Decided) -> None:
        record, _, facts = decided
        shelf = self._shelves.get(record.key)
        if shelf is None:
            shelf = self._shelves[record.key] = Shelf()
        for fact in facts:
            match fact:
                case StockReceived(quantity, receipt_id):
                    shelf.received += quantity
                    shelf.free += quantity
                    self._receipt(shelf, receipt_id, decided)
                case StockReserved(_, order_id, quantity):
                    if order_id in shelf.holds:
                        self._tally.broke(f"SKU {record.key}: order {order_id} holds it twice at {at_place(record)}")
                    shelf.reserve(order_id, quantity)
                case StockReleased(_, order_id, quantity):
                    shelf.free += quantity
                    shelf.end_hold(order_id)
                case StockShipped(_, order_id, quantity):
                    shelf.shipped += quantity
                    shelf.end_hold(order_id)
        self._tally.checked += 1
        complaint = shelf.complaint()
        if complaint:
            self._tally.broke(f"SKU {record.key} at {at_place(record)}: {complaint}: {shelf}", shelf.imbalance())

    def _receipt(self, shelf: Shelf, receipt_id: str, decided: Decided) -> None:
        record = decided.record
        counted = shelf.receipts.get(receipt_id)
        if receipt_id and counted is not None and record.at - counted < RECEIPTS_REMEMBERED:
            self._tally.broke(f"SKU {record.key}: receipt {receipt_id} counted again at {at_place(record)}")
        shelf.receipts[receipt_id] = record.at

    def verdict(self) -> Verdict:
        self._shipments.judge()
        return self._tally.verdict()
