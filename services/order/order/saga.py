"""The order saga as a table: what we waited for, what happened, what to ask next.

    async def fulfil(order):                                    # the same as a story
        try:
            await all(reserve(line) for line in order.lines)    # within patience.reserve
            await authorize(order.payment)                      # within patience.authorize
        except (Refused, Declined, Silence, CustomerCancels) as why:
            await void(order.payment)                           # if it was asked for: silence may mean "done"
            await all(release(line) for line in order.lines)    # each may be held, whatever we heard
            cancel(order, why)                                  # last: a cancelled order holds nothing
        else:
            confirm(order)                                      # from here on it is sold, come what may
            await all(capture(order.payment), *(ship(line) for line in order.lines))

Requests are idempotent per order: undoing too often is safe, undoing too little is not. A void or a release bars the door
that it closes, so an answer that comes after we gave up has no effect. Going forward we give up after a while; undoing
and settling we ask again, less and less often, until it is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from common.clock import SECOND, Instant, Millis
from common.contracts.inventory import (
    ReleaseStock,
    ReserveStock,
    ShipStock,
    StockRefused,
    StockReleased,
    StockReserved,
    StockShipped,
)
from common.contracts.money import Money
from common.contracts.order import (
    CancellationRequested,
    CancelOrder,
    ConfirmOrder,
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    Step,
    StepTimedOut,
    Verdict,
)
from common.contracts.payment import (
    AuthorizePayment,
    CapturePayment,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentParked,
    PaymentRefunded,
    PaymentVoided,
    VoidPayment,
)
from common.messages import Request, Sealed
from common.topology import INVENTORY, ORDER, PAYMENT, commands

FIRST_REMINDER: Millis = 5 * SECOND
LONGEST_PAUSE: Millis = 60 * SECOND

INVENTORY_SILENT = "inventory did not answer in time"
PROVIDER_SILENT = "payment provider did not answer in time"
DECLINED = "payment declined"
CANCELLED_BY_CUSTOMER = "cancelled by customer"

Payment = Literal["untouched", "asked", "parked", "closed"]
Ask = Request | Verdict
Reaction = tuple["Saga", Sequence[Ask]]


@dataclass(frozen=True, slots=True)
class Saga:
    step: Step = "new"
    order_id: str = ""
    skus: tuple[str, ...] = ()  # lines of which something may be held
    awaiting: frozenset[str] = frozenset()  # lines whose answer is outstanding
    payment: Payment = "untouched"  # closed: its last answer was heard
    amount: Money | None = None
    token: Sealed = ""
    customer: str = ""
    reserve_by: Instant = 0
    authorize_within: Millis = 0
    authorize_by: Instant = 0
    reason: str = ""  # why it is being undone
    round: int = 0  # reminders sent in this step
    due_at: Instant | None = None  # when this step has waited long enough


NEW = Saga()


def react(saga: Saga, event: Event, at: Instant) -> Reaction:
    match saga.step, event:
        case "new", OrderPlaced():
            return reserve(event, at)

        case "reserving", StockReserved(sku=sku):
            return authorize(answered(saga, sku), at)
        case "reserving", StockRefused(sku=sku, reason=reason):
            return undo(without(saga, sku), f"{reason}: {sku}", at)
        case "reserving", StepTimedOut():
            return undo(saga, INVENTORY_SILENT, at)

        case "authorizing", PaymentAuthorized():
            return saga, [ConfirmOrder()]
        case "authorizing", OrderConfirmed():
            return settle(saga, at)
        case "authorizing", PaymentDeclined(reason=reason):
            return undo(replace(saga, payment="closed"), f"{DECLINED}: {reason}", at)
        case "authorizing", StepTimedOut() | PaymentParked():
            return undo(saga, PROVIDER_SILENT, at)

        case "reserving" | "authorizing", CancellationRequested():
            return undo(saga, CANCELLED_BY_CUSTOMER, at)

        case "settling", StockShipped(sku=sku):
            return settled(answered(saga, sku))
        case "settling", PaymentParked():
            return settled(replace(saga, payment="parked"))
        case "settling" | "parked", PaymentCaptured():
            return settled(replace(saga, payment="closed"))

        case "voiding" | "parked", PaymentVoided() | PaymentRefunded() | PaymentDeclined():
            return release(replace(saga, payment="closed"), at)
        case "voiding", PaymentParked():
            return replace(saga, step="parked", payment="parked", due_at=None), []

        case "releasing", StockReleased(sku=sku) | StockRefused(sku=sku):
            return released(answered(saga, sku))
        case "releasing", OrderCancelled():
            return done(saga), []

        case "settling" | "voiding" | "releasing", StepTimedOut(round=round):
            return ask(saga, at, round + 1)

        case _:  # duplicates, and answers that come after we gave up
            return saga, []


def reserve(order: OrderPlaced, at: Instant) -> Reaction:
    deadline = at + order.patience.reserve
    skus = tuple(line.sku for line in order.lines)
    saga = Saga(
        step="reserving",
        order_id=order.order_id,
        skus=skus,
        awaiting=frozenset(skus),
        amount=order.total,
        token=order.payment_token,
        customer=order.customer,
        reserve_by=deadline,
        authorize_within=order.patience.authorize,
        due_at=deadline,
    )
    return saga, [
        to_inventory(line.sku, ReserveStock(line.sku, order.order_id, line.quantity, deadline)) for line in order.lines
    ]


def authorize(saga: Saga, at: Instant) -> Reaction:
    if saga.awaiting or saga.amount is None:
        return saga, []
    deadline = at + saga.authorize_within
    request = AuthorizePayment(saga.order_id, saga.amount, saga.token, deadline, saga.customer)
    saga = replace(saga, step="authorizing", payment="asked", authorize_by=deadline, due_at=deadline)
    return saga, [to_payment(saga, request)]


def settle(saga: Saga, at: Instant) -> Reaction:
    return ask(replace(saga, step="settling", awaiting=frozenset(saga.skus)), at)


def settled(saga: Saga) -> Reaction:
    match saga.payment:
        case _ if saga.awaiting:
            return saga, []
        case "closed":
            return done(saga), []
        case "parked":
            return replace(saga, step="parked", due_at=None), []
        case _:
            return saga, []


def undo(saga: Saga, reason: str, at: Instant) -> Reaction:
    """Newest first: the money, then the stock."""
    saga = replace(saga, reason=reason)
    return ask(replace(saga, step="voiding"), at) if saga.payment == "asked" else release(saga, at)


def release(saga: Saga, at: Instant) -> Reaction:
    saga = replace(saga, step="releasing", awaiting=frozenset(saga.skus))
    return ask(saga, at) if saga.awaiting else released(saga)


def released(saga: Saga) -> Reaction:
    return saga, ([] if saga.awaiting else [CancelOrder(saga.reason)])


def done(saga: Saga) -> Saga:
    return replace(saga, step="done", due_at=None)


def ask(saga: Saga, at: Instant, round: int = 0) -> Reaction:
    """Ask for all that is outstanding, and again when the pause is over."""
    pause = min(FIRST_REMINDER << min(round, 10), LONGEST_PAUSE)
    return replace(saga, round=round, due_at=at + pause), outstanding(saga)


def outstanding(saga: Saga) -> list[Request]:
    lines = [sku for sku in saga.skus if sku in saga.awaiting]
    match saga.step:
        case "settling":
            capture = [to_payment(saga, CapturePayment(saga.order_id))] if saga.payment == "asked" else []
            return capture + [to_inventory(sku, ShipStock(sku, saga.order_id)) for sku in lines]
        case "voiding":
            return [to_payment(saga, VoidPayment(saga.order_id, saga.authorize_by))]
        case "releasing":
            return [to_inventory(sku, ReleaseStock(sku, saga.order_id, saga.reserve_by)) for sku in lines]
        case _:
            return []


def answered(saga: Saga, sku: str) -> Saga:
    return replace(saga, awaiting=saga.awaiting - {sku})


def without(saga: Saga, sku: str) -> Saga:
    return replace(saga, skus=tuple(s for s in saga.skus if s != sku))


def to_inventory(sku: str, message: ReserveStock | ReleaseStock | ShipStock) -> Request:
    return Request(commands(INVENTORY), sku, message, reply_to=commands(ORDER))


def to_payment(saga: Saga, message: AuthorizePayment | CapturePayment | VoidPayment) -> Request:
    return Request(commands(PAYMENT), saga.order_id, message, reply_to=commands(ORDER))
