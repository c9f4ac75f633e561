"""Commands and events of one order. The key of every record is the order id.

The order's history holds what it decided and what it heard: the replies of the other services are events here too, so that
the saga's state is the fold of this one stream.
"""

from typing import Literal

from common.clock import SECOND, Millis
from common.contracts import inventory, payment
from common.contracts.money import Money
from common.messages import Sealed, message

Step = Literal["new", "reserving", "authorizing", "settling", "voiding", "releasing", "parked", "done"]


@message
class Line:
    sku: str
    quantity: int
    unit_price: Money


@message
class Patience:
    """How long an order waits for every line to be reserved, and then for its payment, before it gives up.

    It is part of the order's history: what the saga asks on replay does not depend on today's settings.
    """

    reserve: Millis = 10 * SECOND
    authorize: Millis = 10 * SECOND


@message
class PlaceOrder:
    """`fingerprint` tells two different requests under one Idempotency-Key apart (law L2). Nobody needs what is sealed to
    decide: `delivery` is a DeliveryBody, `payment_token` is opened for the provider alone."""

    order_id: str
    customer: str
    lines: tuple[Line, ...]
    payment_token: Sealed
    fingerprint: str
    delivery: Sealed | None = None


@message
class RequestCancellation:
    """The customer changed their mind."""

    order_id: str


@message
class CheckHold:
    """Inventory asks: does the order still want what it holds of this SKU? Answered by ShipStock or ReleaseStock, or,
    while the order is undecided, not at all."""

    order_id: str
    sku: str


@message
class ConfirmOrder:
    """The saga's word to its own order: all is held and paid for. Never on the wire."""


@message
class CancelOrder:
    """The saga's word to its own order: nothing is held any more. Never on the wire."""

    reason: str


@message
class StepDue:
    """Timer: the step has waited this long; `round` counts its reminders. Never on the wire."""

    step: Step
    round: int


@message
class OrderPlaced:
    order_id: str
    customer: str
    lines: tuple[Line, ...]
    total: Money
    payment_token: Sealed
    fingerprint: str
    delivery: Sealed | None = None
    patience: Patience = Patience()


@message
class StepTimedOut:
    """No answer in time. Forward steps give up, undoing and settling ask again."""

    step: Step
    round: int


@message
class CancellationRequested:
    by: str


@message
class CancellationRefused:
    by: str
    reason: str


@message
class OrderConfirmed:
    order_id: str


@message
class OrderCancelled:
    order_id: str
    reason: str


Command = PlaceOrder | RequestCancellation | CheckHold | inventory.Reply | payment.Reply
Verdict = ConfirmOrder | CancelOrder
Timer = StepDue
Event = (
    OrderPlaced
    | StepTimedOut
    | CancellationRequested
    | CancellationRefused
    | OrderConfirmed
    | OrderCancelled
    | inventory.Reply
    | payment.Reply
)
