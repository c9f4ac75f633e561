"""L6: a cancelled order holds no stock and no authorization."""

from common.topology import INVENTORY, ORDER, PAYMENT
from laws.facts import (
    OrderCancelled,
    OrderConfirmed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    StockRefused,
    StockReleased,
    StockReserved,
    StockShipped,
)
from laws.history import History
from laws.ledger import LedgerRow
from laws.stream import Decided, Stream, at_place
from laws.verdict import Tally, Verdict

MONEY = "its payment"


class CancelledHoldsNothing:
    """Clocks and offsets of different partitions say nothing about before and after, causes do. So three things together
    mean "at every moment after the cancellation":

    - when an order is cancelled, it has heard that everything it ever asked for was refused or given back;
    - what was given back is never given out again: no reservation after a release, no authorization after a void;
    - in the end nothing is held for it, here or in the provider's own ledger.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L6", "a cancelled order holds no stock and no authorization")
        self._asked: dict[str, dict[str, bool]] = {}  # by undecided order: SKUs, or MONEY; whether it may hold that
        self._cancelled: dict[str, str] = {}  # where
        self._held: dict[tuple[str, str], str] = {}  # (order, SKU or MONEY) -> where it was given out
        self._barred: set[tuple[str, str]] = set()
        self._ledger: dict[str, int] = {}  # authorized or captured at the provider

    def listen(self, stream: Stream) -> None:
        stream.on_decided(ORDER, self._order)
        stream.on_decided(INVENTORY, self._inventory)
        stream.on_decided(PAYMENT, self._payment)
        stream.on_ledger(self._row)

    def _order(self, decided: Decided) -> None:
        record, frame, facts = decided
        for fact in facts:
            match fact:
                case StockReserved(sku):
                    self._may_hold(record.key, sku)
                case StockRefused(sku) | StockReleased(sku):
                    self._asked.setdefault(record.key, {})[sku] = False
                case PaymentAuthorized() | PaymentCaptured():
                    self._may_hold(record.key, MONEY)
                case PaymentDeclined() | PaymentVoided() | PaymentRefunded():
                    self._asked.setdefault(record.key, {})[MONEY] = False
                case OrderConfirmed():
                    self._asked.pop(record.key, None)
                case OrderCancelled():
                    self._cancel(decided)
        for sent in frame.sent:
            if sent.type == "ReserveStock":
                self._may_hold(record.key, sent.key)
            elif sent.type == "AuthorizePayment":
                self._may_hold(record.key, MONEY)

    def _may_hold(self, order_id: str, what: str) -> None:
        """What it heard was given back stays so: an older answer may be delivered again."""
        self._asked.setdefault(order_id, {}).setdefault(what, True)

    def _cancel(self, decided: Decided) -> None:
        self._tally.checked += 1
        order_id, where = decided.record.key, at_place(decided.record)
        self._cancelled[order_id] = where
        held = {what for what, may in self._asked.pop(order_id, {}).items() if may}
        if held:
            self._tally.broke(
                f"order {order_id}: cancelled at {where} before it heard that {_names(held)} was given back", len(held)
            )

    def _inventory(self, decided: Decided) -> None:
        for fact in decided.facts:
            match fact:
                case StockReserved(_, order_id):
                    self._given(order_id, f"SKU {decided.record.key}", decided)
                case StockReleased(_, order_id) | StockRefused(_, order_id):
                    self._given_back(order_id, f"SKU {decided.record.key}")
                case StockShipped(_, order_id):
                    self._held.pop((order_id, f"SKU {decided.record.key}"), None)

    def _payment(self, decided: Decided) -> None:
        for fact in decided.facts:
            match fact:
                case PaymentAuthorized():
                    self._given(decided.record.key, MONEY, decided)
                case PaymentDeclined() | PaymentVoided() | PaymentRefunded():
                    self._given_back(decided.record.key, MONEY)
                case PaymentCaptured():  # no longer set aside but taken: L5
                    self._held.pop((decided.record.key, MONEY), None)

    def _given(self, order_id: str, what: str, decided: Decided) -> None:
        if (order_id, what) in self._barred:
            self._tally.broke(
                f"order {order_id}: {what} given out at {at_place(decided.record)} after it was given back"
            )
        self._held[order_id, what] = at_place(decided.record)

    def _given_back(self, order_id: str, what: str) -> None:
        self._held.pop((order_id, what), None)
        self._barred.add((order_id, what))

    def _row(self, row: LedgerRow) -> None:
        kept = row["amount"] if row["status"] == "authorized" else row["captured"] - row["refunded"]
        if kept:
            self._ledger[row["reference"]] = kept

    def verdict(self) -> Verdict:
        for (order_id, what), where in self._held.items():
            if order_id in self._cancelled:
                self._tally.broke(f"order {order_id}: cancelled, and holds {what} since {where}")
        for order_id in sorted(self._cancelled.keys() & self._ledger.keys()):
            amount = self._ledger[order_id]
            self._tally.broke(f"order {order_id}: cancelled, and the provider's ledger still holds {amount}", amount)
        return self._tally.verdict()


def _names(held: set[str]) -> str:
    return ", ".join(sorted(name if name == MONEY else f"SKU {name}" for name in held))
