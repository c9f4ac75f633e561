"""L13: no authorization before every line is reserved, no confirmation before the authorization, nothing is taken before it."""

from common.topology import ORDER, PAYMENT
from laws.facts import (
    AuthorizationRequested,
    CaptureRequested,
    OrderConfirmed,
    OrderPlaced,
    PaymentAuthorized,
    StockReserved,
)
from laws.history import History
from laws.stream import Decided, Stream, at_place
from laws.verdict import Tally, Verdict

AFTER_CONFIRMATION = frozenset({"CapturePayment", "ShipStock"})


class Causality:
    """Along the chain of causes, not by any clock: an order's own history says what it had heard when it asked, and a
    payment's what it had been asked for when it acted.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L13", "no authorization before reservation, no capture before confirmation, per order")
        self._unreserved: dict[str, set[str]] = {}  # by order that is not confirmed: the SKUs it still waits for
        self._authorized: set[str] = set()  # orders that are not confirmed
        self._confirmed: set[str] = set()
        self._asked: dict[str, set[str]] = {"AuthorizePayment": set(), "CapturePayment": set()}  # payments that had it

    def listen(self, stream: Stream) -> None:
        stream.on_decided(ORDER, self._order)
        stream.on_decided(PAYMENT, self._payment)

    def _order(self, decided: Decided) -> None:
        record, frame, facts = decided
        order_id = record.key
        for fact in facts:
            match fact:
                case OrderPlaced(lines=lines):
                    self._unreserved[order_id] = {line.sku for line in lines}
                case StockReserved(sku):
                    self._unreserved.get(order_id, set()).discard(sku)
                case PaymentAuthorized():
                    self._authorized.add(order_id)
                case OrderConfirmed():
                    self._confirm(decided)
        for sent in frame.sent:
            if sent.type == "AuthorizePayment":
                self._require_reserved(decided, "asked for an authorization")
            elif sent.type in AFTER_CONFIRMATION:
                self._tally.checked += 1
                if order_id not in self._confirmed:
                    self._tally.broke(f"order {order_id}: sent {sent.type} at {at_place(record)}, not confirmed")

    def _confirm(self, decided: Decided) -> None:
        order_id = decided.record.key
        self._require_reserved(decided, "confirmed")
        if order_id not in self._authorized:
            self._tally.broke(f"order {order_id}: confirmed at {at_place(decided.record)}, not authorized")
        self._authorized.discard(order_id)
        self._unreserved.pop(order_id, None)
        self._confirmed.add(order_id)

    def _require_reserved(self, decided: Decided, what: str) -> None:
        self._tally.checked += 1
        missing = self._unreserved.get(decided.record.key, {"every SKU"})
        if missing:
            sentence = f"order {decided.record.key}: {what} at {at_place(decided.record)}"
            self._tally.broke(f"{sentence}, {', '.join(sorted(missing))} not reserved", len(missing))

    def _payment(self, decided: Decided) -> None:
        record, frame, facts = decided
        if frame.cause.type in self._asked:
            self._asked[frame.cause.type].add(record.key)
        for fact in facts:
            match fact:
                case AuthorizationRequested():
                    self._require_asked(decided, "AuthorizePayment")
                case CaptureRequested():
                    self._require_asked(decided, "CapturePayment")

    def _require_asked(self, decided: Decided, command: str) -> None:
        self._tally.checked += 1
        if decided.record.key not in self._asked[command]:
            self._tally.broke(
                f"order {decided.record.key}: the provider at {at_place(decided.record)} without {command}"
            )

    def verdict(self) -> Verdict:
        return self._tally.verdict()
