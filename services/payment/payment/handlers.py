"""Payment's behaviour for the processor: which message goes to which rule, who is answered, what the worker shall do.

A command that is sent again changes nothing; a void or capture that is long done is answered again. Only an operator's
command, redriven from dead letters, starts a parked operation anew; the saga's own reminders do not.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from common.clock import Instant, Millis
from common.codec import Codec, encode, members
from common.contracts.payment import (
    AttemptDue,
    AuthorizePayment,
    CapturePayment,
    Command,
    Event,
    PaymentCaptured,
    PaymentParked,
    PaymentRefunded,
    PaymentVoided,
    ProviderAnswered,
    Reply,
    VoidPayment,
)
from common.decider import Behaviour, Decision, Effect, Input, Wake
from common.errors import UnknownType
from common.messages import Request
from common.topology import PAYMENT, dead_letters
from payment.domain import (
    CLOCKS_DIFFER,
    INITIAL,
    Attempt,
    Call,
    Payment,
    Retries,
    answered,
    attempt_due,
    authorize,
    capture,
    evolve,
    void,
)

OPERATOR = "operator:"  # an actor of this prefix is a person who has the dead letter redriven

REMEMBERED: Millis = 2 * CLOCKS_DIFFER  # a barrier outlives, by every clock, the commands that could still need it

OUTCOMES = {
    "PaymentCaptured": "captured",
    "PaymentDeclined": "declined",
    "PaymentVoided": "voided",
    "PaymentRefunded": "refunded",
    "PaymentParked": "parked",
}

FINISHED = frozenset({"captured", "declined", "voided", "refunded"})


def decide(payment: Payment, given: Input, at: Instant, retries: Retries) -> Sequence[Event]:
    redriven = given.envelope.actor.startswith(OPERATOR)
    reply_to = given.envelope.reply_to
    match given.message:
        case AuthorizePayment() as command:
            return authorize(payment, command, at, reply_to=reply_to)
        case CapturePayment() as command:
            return capture(payment, command, redriven=redriven)
        case VoidPayment() as command:
            return void(payment, command, at, reply_to=reply_to, redriven=redriven)
        case ProviderAnswered() as answer:
            return answered(payment, answer, at, retries)
        case AttemptDue() as timer:
            return attempt_due(payment, timer)
        case other:
            raise UnknownType(f"payment cannot handle {type(other).__name__}")


def handle(payment: Payment, given: Input, at: Instant, retries: Retries) -> Decision:
    events = decide(payment, given, at, retries)
    after = payment
    for event in events:
        after = evolve(after, event, at)
    reply_to = given.envelope.reply_to or after.reply_to
    answer = news(after, events[-1]) if events else answer_again(payment, given.message)
    requests = [Request(reply_to, given.key, answer)] if answer and reply_to else []
    if isinstance(answer, PaymentParked):
        requests.append(Request(dead_letters(PAYMENT), given.key, to_redrive(after, answer), after.reply_to))
    return Decision(events, requests)


def news(after: Payment, event: Event) -> Reply | None:
    """The saga hears outcomes, but not the passing ones of what it no longer wants."""
    if isinstance(event, PaymentParked) or (isinstance(event, Reply) and after.pending is None):
        return event
    return None


def answer_again(payment: Payment, command: Command) -> Reply | None:
    match command, payment.status:
        case VoidPayment(order_id), "unknown" | "declined" | "voided":
            return PaymentVoided(order_id)
        case VoidPayment(order_id), "refunded":
            return PaymentRefunded(order_id, payment.amount)
        case CapturePayment(order_id), "captured" if payment.pending is None:
            return PaymentCaptured(order_id, payment.amount)
        case _:
            return None


def to_redrive(payment: Payment, parked: PaymentParked) -> Command:
    """The command that an operator sends again from dead letters, to start a new round of attempts."""
    if parked.operation == "capture" and not payment.undoing:
        return CapturePayment(parked.order_id)
    return VoidPayment(parked.order_id, payment.deadline)


def wake(payment: Payment) -> Wake | None:
    match payment.pending:
        case Attempt("authorize", retry_at=retry_at) if retry_at > payment.deadline:
            return None  # the saga has given up and will void
        case Attempt(operation, number, phase="waiting", retry_at=retry_at):
            return Wake(retry_at, AttemptDue(operation, number))
        case _:
            return None


def effect(payment: Payment) -> Effect | None:
    match payment.pending:
        case Attempt(operation, number, phase="calling"):
            order_id = payment.order_id
            call = Call(order_id, operation, number, payment.amount, payment.token, ask_first=number > 0)
            return Effect(f"{order_id}/{operation}", call)
        case _:
            return None


def forget_at(payment: Payment) -> Instant | None:
    """Past it, every command that could still come is ignored by its own deadline: a barrier need not be remembered."""
    if payment.status in FINISHED and payment.pending is None:
        return payment.deadline + REMEMBERED
    return None


def behaviour(retries: Retries) -> Behaviour[Payment]:
    return Behaviour(
        service=PAYMENT,
        initial=INITIAL,
        handle=partial(handle, retries=retries),
        evolve=evolve,
        commands=Codec(members(Command)),
        events=Codec(members(Event)),
        dump=encode,
        load=msgspec.json.Decoder(Payment).decode,
        wake=wake,
        effect=effect,
        forget_at=forget_at,
        replies=frozenset({ProviderAnswered.__name__}),
        step=lambda payment: payment.status,
        outcomes=OUTCOMES,
    )


BEHAVIOUR = behaviour(Retries())
