"""One order's payment: at most one capture, never after a void, and every void is answered in the end.

    authorize ─ done ────▶ authorized ─ capture ─ done ─▶ captured ─ refund ─ done ─▶ refunded
        │    └─ declined ▶ declined         │
        └──── void, before or after the answer ─ done ──▶ voided

One operation at the provider is pending at a time. An attempt whose outcome is unknown is followed by another under the
same idempotency key; knowledge is never wasted: what the provider did is a fact, whichever attempt reports it. A void may
overtake its authorization, so the provider bars what it voids, known to it or not; here a barrier is the status `voided`.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from common.clock import MINUTE, SECOND, Instant, Millis
from common.contracts.money import Money
from common.contracts.payment import (
    AttemptDue,
    AttemptFailed,
    AttemptStarted,
    AuthorizationRequested,
    AuthorizePayment,
    CapturePayment,
    CaptureRequested,
    Event,
    Operation,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentParked,
    PaymentRefunded,
    PaymentVoided,
    ProviderAnswered,
    RefundRequested,
    VoidPayment,
    VoidRequested,
)
from common.messages import Sealed

Status = Literal["unknown", "requested", "authorized", "captured", "declined", "voided", "refunded"]

NO_MONEY = Money(0, "XXX")  # ISO 4217: no currency


@dataclass(frozen=True, slots=True)
class Attempt:
    """`number` is the attempt under way or, while waiting or parked, the next. It counts on when an operator starts a new
    round with attempt `first`, so that no two attempts of one operation are ever taken for each other."""

    operation: Operation
    number: int = 0
    first: int = 0
    phase: Literal["calling", "waiting", "parked"] = "calling"
    retry_at: Instant = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """`status` is what is known, `pending` what is being done about it. `undoing`: a void waits for a capture's outcome."""

    status: Status = "unknown"
    order_id: str = ""
    amount: Money = NO_MONEY
    token: Sealed = ""
    deadline: Instant = 0
    reply_to: str = ""
    pending: Attempt | None = None
    undoing: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask of the provider. `ask_first`: an earlier attempt may have succeeded, so look it up by key before."""

    order_id: str
    operation: Operation
    attempt: int
    amount: Money
    token: Sealed
    ask_first: bool


@dataclass(frozen=True, slots=True)
class Retries:
    """Exponential back-off. After `attempts` the operation is parked; an authorization is tried until its deadline.

    These wait two to four minutes for a provider that is away: it may be one pod, which is restarted."""

    attempts: int = 16
    shortest: Millis = 100
    longest: Millis = 30 * SECOND

    def delay(self, order_id: str, attempt: Attempt) -> Millis:
        """Between half and all of the step. Which, is drawn from the name of the attempt: many orders that failed at the
        same moment do not come back at the same moment, and a replay decides the same."""
        step = min(self.longest, self.shortest << min(attempt.number - attempt.first, 20))
        draw = zlib.crc32(f"{order_id}/{attempt.operation}/{attempt.number}".encode())
        return step - draw % (step // 2 + 1)


INITIAL = Payment()

CLOCKS_DIFFER: Millis = MINUTE  # at most: one process's deadline has passed, another's has not


def authorize(payment: Payment, command: AuthorizePayment, at: Instant, *, reply_to: str) -> Sequence[Event]:
    if payment.status != "unknown" or at > command.deadline:
        return []
    wanted = (command.order_id, command.amount, command.token, command.deadline)
    return [AuthorizationRequested(*wanted, reply_to, command.customer)]


def capture(payment: Payment, command: CapturePayment, *, redriven: bool) -> Sequence[Event]:
    match payment:
        case Payment(status="authorized", pending=None):
            return [CaptureRequested(command.order_id)]
        case Payment(pending=Attempt("capture", phase="parked") as parked) if redriven:
            return [AttemptStarted(payment.order_id, parked.operation, parked.number)]
        case _:
            return []


def void(payment: Payment, command: VoidPayment, at: Instant, *, reply_to: str, redriven: bool) -> Sequence[Event]:
    requested = VoidRequested(command.order_id, command.deadline, reply_to or payment.reply_to)
    match payment:
        case Payment(status="unknown") if at > command.deadline + CLOCKS_DIFFER:
            return []  # nothing to bar: an authorization that comes now is ignored anyway
        case Payment(status="unknown"):
            return [requested, PaymentVoided(command.order_id)]
        case Payment(pending=Attempt("capture", phase="parked") as parked, undoing=False):
            return [requested, AttemptStarted(payment.order_id, parked.operation, parked.number)]
        case Payment(pending=Attempt("capture"), undoing=False):
            return [requested]  # only its outcome tells whether to refund or to void
        case Payment(pending=Attempt("authorize")) | Payment(status="authorized", pending=None):
            return [requested]
        case Payment(status="captured", pending=None):
            return [RefundRequested(payment.order_id)]
        case Payment(pending=Attempt(phase="parked") as parked) if redriven:
            return [AttemptStarted(payment.order_id, parked.operation, parked.number)]
        case _:
            return []  # under way, or done


def answered(payment: Payment, answer: ProviderAnswered, at: Instant, retries: Retries) -> Sequence[Event]:
    order_id, pending = payment.order_id, payment.pending
    match answer.operation, answer.result:
        case "authorize", "done" if payment.status == "requested":
            return [PaymentAuthorized(order_id)]  # while a void is pending too: it goes on
        case "authorize", "declined" if payment.status == "requested":
            return [PaymentDeclined(order_id, answer.detail)]  # while a void is pending too: nothing is left to void
        case operation, _ if pending is None or pending.operation != operation:
            return []
        case "capture", "done" if payment.undoing:
            return [PaymentCaptured(order_id, payment.amount), RefundRequested(order_id)]
        case "capture", "done":
            return [PaymentCaptured(order_id, payment.amount)]
        case "capture", "declined" if payment.undoing:
            return [VoidRequested(order_id, payment.deadline, payment.reply_to)]
        case "void", "done":
            return [PaymentVoided(order_id)]
        case "refund", "done":
            return [PaymentRefunded(order_id, payment.amount)]
        case _, "declined" if pending.phase != "parked":
            return [_parked(payment, pending, answer.detail)]  # a refusal will not change by asking again
        case _, "unknown" if pending.phase == "calling" and pending.number == answer.attempt:
            return [_failed(payment, pending, answer.detail, at, retries)]
        case _:
            return []


def attempt_due(payment: Payment, timer: AttemptDue) -> Sequence[Event]:
    match payment.pending:
        case Attempt(timer.operation, timer.attempt, phase="waiting"):
            return [AttemptStarted(payment.order_id, timer.operation, timer.attempt)]
        case _:
            return []


def _failed(payment: Payment, failed: Attempt, detail: str, at: Instant, retries: Retries) -> Event:
    if failed.operation != "authorize" and failed.number - failed.first + 1 >= retries.attempts:
        return _parked(payment, failed, detail)
    retry_at = at + retries.delay(payment.order_id, failed)
    return AttemptFailed(payment.order_id, failed.operation, failed.number, detail, retry_at)


def _parked(payment: Payment, failed: Attempt, detail: str) -> Event:
    return PaymentParked(payment.order_id, failed.operation, failed.number + 1, detail)


def evolve(payment: Payment, event: Event, at: Instant) -> Payment:
    pending = payment.pending
    match event:
        case AuthorizationRequested(order_id, amount, token, deadline, reply_to):
            return Payment("requested", order_id, amount, token, deadline, reply_to, Attempt("authorize"))
        case PaymentAuthorized():
            voiding = pending if pending and pending.operation == "void" else None
            return replace(payment, status="authorized", token="", pending=voiding)
        case PaymentDeclined():
            return replace(payment, status="declined", token="", pending=None)
        case CaptureRequested():
            return replace(payment, pending=Attempt("capture"))
        case PaymentCaptured():
            return replace(payment, status="captured", pending=None)
        case VoidRequested() if pending and pending.operation == "capture" and not payment.undoing:
            return replace(payment, undoing=True)
        case VoidRequested(order_id, deadline, reply_to):
            known = replace(payment, order_id=order_id, deadline=max(deadline, payment.deadline), reply_to=reply_to)
            return replace(known, token="", pending=Attempt("void"), undoing=False)
        case PaymentVoided():
            return replace(payment, status="voided", pending=None)
        case RefundRequested():
            return replace(payment, pending=Attempt("refund"), undoing=False)
        case PaymentRefunded():
            return replace(payment, status="refunded", pending=None)
        case AttemptFailed(_, operation, attempt, _, retry_at):
            first = pending.first if pending else 0
            return replace(payment, pending=Attempt(operation, attempt + 1, first, "waiting", retry_at))
        case AttemptStarted(_, operation, attempt):
            first = pending.first if pending else attempt
            return replace(payment, pending=Attempt(operation, attempt, first))
        case PaymentParked(_, operation, attempts):
            return replace(payment, pending=Attempt(operation, attempts, first=attempts, phase="parked"))
        case _:
            assert_never(event)
