"""Payments that lack one rule. Each is a `handle` or an `effect` with one row changed."""

from dataclasses import replace

import msgspec

from common.clock import Instant
from common.contracts.payment import PaymentVoided, ProviderAnswered, VoidPayment, VoidRequested
from common.decider import Decision, Effect, Input
from common.messages import Request
from payment.domain import Payment
from payment.handlers import effect
from tests.simulation.parts import PAYMENTS

handle = PAYMENTS.handle


def silence_means_no(payment: Payment, given: Input, at: Instant) -> Decision:
    """An authorization without an answer is taken for a refusal."""
    answer = given.message
    if isinstance(answer, ProviderAnswered) and (answer.operation, answer.result) == ("authorize", "unknown"):
        given = msgspec.structs.replace(given, message=replace(answer, result="declined"))
    return handle(payment, given, at)


def silence_means_yes(payment: Payment, given: Input, at: Instant) -> Decision:
    """A capture without an answer is taken for done."""
    answer = given.message
    if isinstance(answer, ProviderAnswered) and (answer.operation, answer.result) == ("capture", "unknown"):
        given = msgspec.structs.replace(given, message=replace(answer, result="done"))
    return handle(payment, given, at)


def voided_without_asking(payment: Payment, given: Input, at: Instant) -> Decision:
    """A payment whose authorization was never answered is called void, and the provider hears nothing of it."""
    match given.message:
        case VoidPayment(order_id, deadline) if payment.status == "requested":
            events = [VoidRequested(order_id, deadline, payment.reply_to), PaymentVoided(order_id)]
            return Decision(events, [Request(payment.reply_to, given.key, PaymentVoided(order_id))])
        case _:
            return handle(payment, given, at)


def another_key_for_each_attempt(payment: Payment) -> Effect | None:
    """The provider cannot know that it is asked a second time: a capture may happen twice, or seem refused."""
    found = effect(payment)
    return found and replace(found, id=f"{found.id}/{found.intent.attempt}")
