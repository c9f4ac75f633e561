"""The order as its customer sees it: what was ordered, and whether it is sold.

Pending until it is confirmed or cancelled, once and for all. A cancelled order holds nothing: the saga cancels last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Literal

from common.contracts.money import Money
from common.contracts.order import (
    CancellationRefused,
    CancellationRequested,
    CancelOrder,
    ConfirmOrder,
    Event,
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    Patience,
    PlaceOrder,
    RequestCancellation,
    Verdict,
)
from common.errors import MessageError

Status = Literal["unknown", "pending", "confirmed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Order:
    status: Status = "unknown"
    order_id: str = ""
    lines: tuple[Line, ...] = ()
    total: Money | None = None
    cancelling: bool = False  # the customer asked for it, and it will be done
    reason: str = ""  # why it was cancelled


INITIAL = Order()


def decide(
    order: Order, command: PlaceOrder | RequestCancellation | Verdict, by: str, patience: Patience
) -> list[Event]:
    match order.status, command:
        case "unknown", PlaceOrder() as wish:
            return [
                OrderPlaced(
                    wish.order_id,
                    wish.customer,
                    wish.lines,
                    total(wish.lines),
                    wish.payment_token,
                    wish.fingerprint,
                    wish.delivery,
                    patience,
                )
            ]
        case _, PlaceOrder():
            return []  # a twin, with the same body or another: the first one counts

        case "pending", RequestCancellation() if not order.cancelling:
            return [CancellationRequested(by)]
        case "confirmed", RequestCancellation():
            return [CancellationRefused(by, "the order is already confirmed")]
        case _, RequestCancellation():
            return []  # it is on its way, it is done, or there never was an order

        case "pending", ConfirmOrder():
            return [OrderConfirmed(order.order_id)]
        case "pending", CancelOrder(reason):
            return [OrderCancelled(order.order_id, reason)]
        case _:
            return []


def evolve(order: Order, event: Event) -> Order:
    match event:
        case OrderPlaced():
            return Order("pending", event.order_id, event.lines, event.total)
        case CancellationRequested():
            return replace(order, cancelling=True)
        case OrderConfirmed():
            return replace(order, status="confirmed")
        case OrderCancelled(reason=reason):
            return replace(order, status="cancelled", reason=reason)
        case _:
            return order  # what the saga heard: not the customer's business


def total(lines: Sequence[Line]) -> Money:
    """Raises MessageError for an order that nobody could pay."""
    if not lines or any(line.quantity < 1 for line in lines):
        raise MessageError("an order needs at least one line, each with a quantity of at least 1; place it again so")
    try:
        return reduce(add, (line.unit_price.times(line.quantity) for line in lines))
    except ValueError as error:
        raise MessageError(str(error)) from None
