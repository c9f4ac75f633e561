"""Commands and events of one payment. The key of every record is the order id: one order, one payment."""

from typing import Literal

from common.clock import Instant
from common.contracts.money import Money
from common.messages import Sealed, message

Operation = Literal["authorize", "capture", "void", "refund"]
Result = Literal["done", "declined", "unknown"]


@message
class AuthorizePayment:
    """Ask the provider to set the amount aside. Ignored after `deadline`: the saga has given up by then. `customer`: whose
    payment it is, and who may see it."""

    order_id: str
    amount: Money
    token: Sealed
    deadline: Instant
    customer: str = ""


@message
class CapturePayment:
    order_id: str


@message
class VoidPayment:
    """Undo whatever happened or may still happen: void an authorization, refund a capture, bar what comes later."""

    order_id: str
    deadline: Instant


@message
class ProviderAnswered:
    """The worker's report about one attempt of one operation; `unknown` when no answer came or it was an error."""

    order_id: str
    operation: Operation
    attempt: int
    result: Result
    detail: str = ""


@message
class AttemptDue:
    """Timer: time for the next attempt. Never on the wire."""

    operation: Operation
    attempt: int


@message
class AuthorizationRequested:
    """The intent, durable before the provider hears of it. `reply_to` is where the saga waits."""

    order_id: str
    amount: Money
    token: Sealed
    deadline: Instant
    reply_to: str
    customer: str = ""


@message
class PaymentAuthorized:
    order_id: str


@message
class PaymentDeclined:
    order_id: str
    reason: str


@message
class CaptureRequested:
    order_id: str


@message
class PaymentCaptured:
    order_id: str
    amount: Money


@message
class VoidRequested:
    """`reply_to` is repeated for a payment that never was: the void may be the first that is heard of it."""

    order_id: str
    deadline: Instant
    reply_to: str


@message
class PaymentVoided:
    """Nothing is set aside for this order, and nothing will be."""

    order_id: str


@message
class RefundRequested:
    order_id: str


@message
class PaymentRefunded:
    order_id: str
    amount: Money


@message
class AttemptFailed:
    """The provider gave no usable answer; it is asked again, by key first, at `retry_at`."""

    order_id: str
    operation: Operation
    attempt: int
    detail: str
    retry_at: Instant


@message
class AttemptStarted:
    """The next attempt begins: its time has come, or an operator had a parked operation redriven."""

    order_id: str
    operation: Operation
    attempt: int


@message
class PaymentParked:
    """The operation failed so often that a person must look: it waits in dead letters, and a redrive starts it again."""

    order_id: str
    operation: Operation
    attempts: int
    detail: str


Command = AuthorizePayment | CapturePayment | VoidPayment | ProviderAnswered
Timer = AttemptDue
Event = (
    AuthorizationRequested
    | PaymentAuthorized
    | PaymentDeclined
    | CaptureRequested
    | PaymentCaptured
    | VoidRequested
    | PaymentVoided
    | RefundRequested
    | PaymentRefunded
    | AttemptFailed
    | AttemptStarted
    | PaymentParked
)
Reply = PaymentAuthorized | PaymentDeclined | PaymentCaptured | PaymentVoided | PaymentRefunded | PaymentParked
