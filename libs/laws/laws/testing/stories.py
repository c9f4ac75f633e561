"""What may happen to orders, told from end to end: sold, out of stock, declined, silence, a customer who cancels."""

from collections.abc import Mapping, Sequence

from common.clock import SECOND
from common.contracts.inventory import (
    ProductPut,
    PutProduct,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    ShipStock,
    StockReceived,
    StockRefused,
    StockReleased,
    StockReserved,
    StockShipped,
)
from common.contracts.money import Money
from common.contracts.order import (
    CancellationRequested,
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PlaceOrder,
    RequestCancellation,
    StepTimedOut,
)
from common.contracts.payment import (
    AuthorizationRequested,
    AuthorizePayment,
    CapturePayment,
    CaptureRequested,
    Operation,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentParked,
    PaymentVoided,
    ProviderAnswered,
    Result,
    VoidPayment,
    VoidRequested,
)
from common.eventlog import Stored
from common.messages import Message, Request
from common.topology import INVENTORY, ORDER, PAYMENT, commands, dead_letters
from laws.ledger import LedgerRow
from laws.testing.script import Script, token_of

PRICE = Money(500, "EUR")
LATER = 10 * SECOND
FREED: Mapping[type, int] = {StockReserved: -1, StockReleased: 1}


def valid() -> Script:
    """Every kind of ending, and a poison message; all laws hold."""
    script = Script()
    stocked(script, "tea", 10)
    stocked(script, "mug", 10)
    Story(script, "ord_sold").sold()
    Story(script, "ord_short", skus=("tea", "pot")).out_of_stock()
    Story(script, "ord_poor").declined()
    Story(script, "ord_silent").silence()
    Story(script, "ord_regret").customer_cancels()
    poison = script.append(commands(ORDER), "ord_poison", b"\xff", {"type": "Nonsense"})
    script.bury(poison, "headers are no envelope")
    Story(script, "ord_last").sold()
    return script


def stocked(script: Script, sku: str, quantity: int) -> None:
    put = script.command(INVENTORY, sku, PutProduct(sku, sku, PRICE), actor="operator:olga")
    script.decide(put, ProductPut(sku, PRICE))
    script.show(ORDER, f"price/{sku}", version=1, name=sku, price=PRICE)
    receive = script.command(INVENTORY, sku, ReceiveStock(sku, "r1", quantity), actor="operator:olga")
    script.decide(receive, StockReceived("r1", quantity))
    script.available[sku] = quantity
    shelf_shown(script, sku)


def shelf_shown(script: Script, sku: str) -> None:
    """The product's read model has caught up."""
    name, price = (sku, PRICE) if sku in script.available else ("", None)
    script.show(INVENTORY, sku, name=name, price=price, available=script.available[sku])


class Story:
    """One order of alice's, one piece of each SKU."""

    def __init__(self, script: Script, order_id: str, skus: Sequence[str] = ("tea", "mug")) -> None:
        self.script = script
        self.order_id = order_id
        self.skus = skus
        self.total = PRICE.times(len(skus))
        self.deadline = script.now + LATER
        self.token = ""

    def sold(self) -> None:
        self.settled(self.confirmed())

    def out_of_stock(self) -> None:
        """The first line is reserved, the second refused."""
        first, second = self.placed()
        self.reserved(first)
        refused = StockRefused(second.key, self.order_id, 0, "out of stock", self.deadline)
        releases = self.told(second, refused, requests=[self.release(first.key)])
        self.released(releases, f"out of stock: {second.key}")

    def declined(self) -> None:
        self.asked_for_payment()
        refusal = PaymentDeclined(self.order_id, "no money")
        releases = self.provider("authorize", "declined", refusal, requests=[self.release(sku) for sku in self.skus])
        self.paid("declined", amount=0)
        self.released(releases, "payment declined: no money")

    def silence(self) -> None:
        """The provider authorizes, and its answer is lost; the order gives up, and the void finds it."""
        self.asked_for_payment()
        void = self.to(PAYMENT, VoidPayment(self.order_id, self.deadline))
        (asked,) = self.script.fire(ORDER, self.order_id, "StepDue", StepTimedOut("authorizing", 0), requests=[void])
        self.script.decide(asked, VoidRequested(self.order_id, self.deadline, commands(ORDER)))
        releases = [self.release(sku) for sku in self.skus]
        asked_back = self.provider("void", "done", PaymentVoided(self.order_id), requests=releases)
        self.paid("voided", amount=self.total.amount)
        self.released(asked_back, "payment provider did not answer in time")

    def parked(self) -> None:
        """The void fails again and again, until it waits for a person in the dead letters."""
        void = VoidPayment(self.order_id, self.deadline)
        timer = StepTimedOut("authorizing", 0)
        (asked,) = self.script.fire(ORDER, self.order_id, "StepDue", timer, requests=[self.to(PAYMENT, void)])
        self.script.decide(asked, VoidRequested(self.order_id, self.deadline, commands(ORDER)))
        parked = PaymentParked(self.order_id, "void", 8, "out of order")
        report = self.report("void", "unknown")
        to_redrive = Request(dead_letters(PAYMENT), self.order_id, void)
        reply, _ = self.script.decide(report, parked, requests=[self.to(ORDER, parked), to_redrive])
        self.script.decide(reply, parked)
        self.paid("", amount=0)
        self.shown("pending")

    def customer_cancels(self) -> None:
        """Before anything was answered."""
        reserves = self.placed()
        wish = self.script.command(ORDER, self.order_id, RequestCancellation(self.order_id))
        requests = [self.release(sku) for sku in self.skus]
        releases = self.script.decide(wish, CancellationRequested("customer:alice"), requests=requests)
        for asked in reserves:
            self.reserved(asked)
        self.released(releases, "cancelled by customer")

    def placed(self) -> list[Stored]:
        """Returns the reservations that are asked for."""
        lines = tuple(Line(sku, 1, PRICE) for sku in self.skus)
        body = f"body-{self.order_id}"
        self.script.note("intent", idempotency_key=self.order_id, fingerprint=body)
        wish = self.script.command(ORDER, self.order_id, PlaceOrder(self.order_id, "alice", lines, "tok_ok", body))
        self.token = token_of(wish)
        answered = {"order_id": self.order_id, "code": 202, "token": self.token}
        self.script.note("ack", idempotency_key=self.order_id, fingerprint=body, **answered)
        placed = OrderPlaced(self.order_id, "alice", lines, self.total, "tok_ok", body)
        reserves = [self.to(INVENTORY, ReserveStock(sku, self.order_id, 1, self.deadline), sku) for sku in self.skus]
        asked = self.script.decide(wish, placed, requests=reserves)
        self.shown("pending")
        return asked

    def reserved(self, asked: Stored, *, requests: Sequence[Request] = ()) -> list[Stored]:
        return self.told(asked, StockReserved(asked.key, self.order_id, 1, self.deadline), requests=requests)

    def asked_for_payment(self) -> None:
        """All lines are held, and the provider is about to be asked."""
        *others, last = self.placed()
        for asked in others:
            self.reserved(asked)
        authorize = AuthorizePayment(self.order_id, self.total, "tok_ok", self.deadline)
        (asked,) = self.reserved(last, requests=[self.to(PAYMENT, authorize)])
        requested = AuthorizationRequested(self.order_id, self.total, "tok_ok", self.deadline, commands(ORDER))
        self.script.decide(asked, requested)

    def confirmed(self) -> list[Stored]:
        """All lines are held, the card is good. Returns the capture and the shipments that are asked for."""
        self.asked_for_payment()
        capture = self.to(PAYMENT, CapturePayment(self.order_id))
        ship = [self.to(INVENTORY, ShipStock(sku, self.order_id), sku) for sku in self.skus]
        confirmed = OrderConfirmed(self.order_id)
        authorized = PaymentAuthorized(self.order_id)
        asked = self.provider("authorize", "done", authorized, confirmed, requests=[capture, *ship])
        self.paid("authorized", amount=self.total.amount)
        self.shown("confirmed")
        return asked

    def settled(self, asked: Sequence[Stored]) -> None:
        """The money is taken, the goods are gone."""
        capture, *shipments = asked
        self.script.decide(capture, CaptureRequested(self.order_id))
        self.provider("capture", "done", PaymentCaptured(self.order_id, self.total))
        self.paid("captured", amount=self.total.amount, captured=self.total.amount)
        for shipment in shipments:
            self.told(shipment, StockShipped(shipment.key, self.order_id, 1))
        self.shown("confirmed")

    def released(self, asked: Sequence[Stored], reason: str) -> None:
        """Every line is given back; then, and only then, the order is cancelled."""
        *others, last = asked
        for release in others:
            self.told(release, StockReleased(release.key, self.order_id, 1, self.deadline))
        cancelled = OrderCancelled(self.order_id, reason)
        self.told(last, StockReleased(last.key, self.order_id, 1, self.deadline), cancelled)
        self.shown("cancelled", reason)

    def provider(
        self, operation: Operation, result: Result, event: Message, *more: Message, requests: Sequence[Request] = ()
    ) -> list[Stored]:
        """The provider answers, payment decides, the order hears of it."""
        return self.told(self.report(operation, result), event, *more, requests=requests)

    def report(self, operation: Operation, result: Result) -> Stored:
        """What payment's worker has learnt from the provider."""
        answer = ProviderAnswered(self.order_id, operation, 0, result)
        report = self.script.command(PAYMENT, self.order_id, answer, actor="service:payment")
        return self.script.relabel(report, causation=f"{self.order_id}/{operation}")

    def told(self, asked: Stored, event: Message, *more: Message, requests: Sequence[Request] = ()) -> list[Stored]:
        """The service that was asked decides, and the order hears the same. Returns what the order asks for then."""
        (reply,) = self.script.decide(asked, event, requests=[self.to(ORDER, event)])
        if asked.topic == commands(INVENTORY):
            if type(event) in FREED:
                self.script.available[asked.key] += FREED[type(event)]
            shelf_shown(self.script, asked.key)
        return self.script.decide(reply, event, *more, requests=requests)

    def shown(self, status: str, reason: str | None = None) -> None:
        """The order's read model has caught up, and alice looks at it."""
        self.script.show(ORDER, self.order_id, status=status, reason=reason, total=self.total)
        version = self.script.versions["order.events", self.order_id]
        self.script.note("read", order_id=self.order_id, status=status, version=version, token=self.token)

    def paid(self, status: str, *, amount: int, captured: int = 0) -> None:
        """So it is in the payment's read model, and in the provider's ledger."""
        self.script.show(PAYMENT, self.order_id, status=status, amount=self.total)
        row = LedgerRow(reference=self.order_id, status=status, amount=amount, captured=captured, refunded=0)
        self.script.ledger[self.order_id] = row

    def release(self, sku: str) -> Request:
        return self.to(INVENTORY, ReleaseStock(sku, self.order_id, self.deadline), sku)

    def to(self, service: str, message: Message, key: str = "") -> Request:
        return Request(commands(service), key or self.order_id, message)
