"""Customers, an operator and a warehouse: all they ever send, as the APIs would write it to the log."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from common.clock import Instant
from common.codec import encode
from common.contracts.inventory import PutProduct, ReceiveStock
from common.contracts.money import Money
from common.contracts.order import Line, PlaceOrder, RequestCancellation
from common.eventlog import Record
from common.messages import Envelope, Message
from common.topology import INVENTORY, ORDER, commands
from laws.journal import JournalEntry
from tests.simulation.plan import Plan
from tests.simulation.provider import DECLINED

SKUS = ("tea", "pot", "cup")

Append = Callable[[Record], None]


class Client:
    """Acknowledged means appended. `journal` is what it would swear to (laws L1, L2)."""

    def __init__(self, plan: Plan, random: Random, clock: Callable[[], Instant], append: Append) -> None:
        self.journal: list[JournalEntry] = []
        self._random = random
        self._clock = clock
        self._append = append
        self._sent = 0
        self._placed: list[PlaceOrder] = []
        self._skus = SKUS[: max(2, plan.lines)]
        self._to_place = [self._order(plan, number) for number in range(plan.orders)]

    def stock_shelves(self, pieces: int) -> None:
        for sku in self._skus:
            self._send(INVENTORY, sku, PutProduct(sku, sku.title(), Money(100, "EUR")), "user:operator")
            self._send(INVENTORY, sku, ReceiveStock(sku, "first", pieces), "user:operator")

    def place(self) -> str:
        if not self._to_place:
            return ""
        order = self._to_place.pop()
        self._placed.append(order)
        self._order_sent(order)
        return f"{order.customer} orders {order.order_id}: {', '.join(f'{o.quantity} {o.sku}' for o in order.lines)}"

    def twin(self) -> str:
        """The same request again, as after a lost answer; or another one under the same key."""
        if not self._placed:
            return ""
        order = self._random.choice(self._placed)
        if self._random.random() < 0.7:
            self._order_sent(order)
            return f"{order.customer} sends {order.order_id} again"
        self._send(ORDER, order.order_id, replace(order, lines=order.lines[:1], fingerprint="another"), order.customer)
        return f"{order.customer} sends another body under the key of {order.order_id}"

    def cancel(self) -> str:
        if not self._placed:
            return ""
        order = self._random.choice(self._placed)
        self._send(ORDER, order.order_id, RequestCancellation(order.order_id), f"user:{order.customer}")
        return f"{order.customer} cancels {order.order_id}"

    def receive(self) -> str:
        wanted = [line.sku for order in self._placed for line in order.lines]
        sku, receipt = self._random.choice(wanted or self._skus), self._random.choice(("first", "second", "third"))
        self._send(INVENTORY, sku, ReceiveStock(sku, receipt, 1), "user:operator")
        return f"one more {sku} comes in, receipt {receipt}"

    def _order(self, plan: Plan, number: int) -> PlaceOrder:
        random = self._random
        skus = random.sample(self._skus, random.randint(1, plan.lines))
        lines = tuple(Line(sku, random.choice((1, 1, 2)), Money(100, "EUR")) for sku in skus)
        token = DECLINED if "decline" in plan.kinds and random.random() < 0.3 else "tok_ok"
        return PlaceOrder(f"o{number}", f"customer-{number}", lines, token, f"body {number}")

    def _order_sent(self, order: PlaceOrder) -> None:
        self._send(ORDER, order.order_id, order, f"user:{order.customer}")
        self.journal.append(
            JournalEntry(
                at=self._clock(),
                kind="ack",
                client=order.customer,
                order_id=order.order_id,
                idempotency_key=order.order_id,
                fingerprint=order.fingerprint,
                code=202,
            )
        )

    def _send(self, service: str, key: str, message: Message, actor: str) -> None:
        self._sent += 1
        envelope = Envelope(f"client-{self._sent}", type(message).__name__, 1, self._clock(), actor, key)
        self._append(Record(commands(service), key, encode(message), envelope.headers()))
