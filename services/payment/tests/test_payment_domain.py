"""One order's payment, given what happened, when something is heard, then what follows."""

from collections.abc import Sequence

import pytest

from common.clock import MINUTE, SECOND, Instant
from common.contracts.money import Money
from common.contracts.payment import (
    AttemptDue,
    AttemptFailed,
    AttemptStarted,
    AuthorizationRequested,
    AuthorizePayment,
    CapturePayment,
    CaptureRequested,
    Operation,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentParked,
    PaymentRefunded,
    PaymentVoided,
    ProviderAnswered,
    RefundRequested,
    Result,
    VoidPayment,
    VoidRequested,
)
from common.decider import Effect
from common.messages import Message, Request
from common.testing.given import Scenario
from common.testing.given import given as scenario
from payment.domain import CLOCKS_DIFFER, INITIAL, Attempt, Call, Payment, Retries
from payment.handlers import BEHAVIOUR, REMEMBERED, behaviour

PRICE = Money(1999, "EUR")
START: Instant = 1_000_000
DEADLINE = START + 10 * SECOND
SAGA = "order.commands"

AUTHORIZE = AuthorizePayment("o1", PRICE, "tok_ok", DEADLINE, "alice")
CAPTURE = CapturePayment("o1")
VOID = VoidPayment("o1", DEADLINE)

REQUESTED = AuthorizationRequested("o1", PRICE, "tok_ok", DEADLINE, SAGA, "alice")
AUTHORIZED = PaymentAuthorized("o1")
CAPTURE_REQUESTED = CaptureRequested("o1")
CAPTURED = PaymentCaptured("o1", PRICE)
VOID_REQUESTED = VoidRequested("o1", DEADLINE, SAGA)
VOIDED = PaymentVoided("o1")
REFUND_REQUESTED = RefundRequested("o1")
REFUNDED = PaymentRefunded("o1", PRICE)
DECLINED = PaymentDeclined("o1", "no")


def answer(operation: Operation, result: Result, attempt: int = 0) -> ProviderAnswered:
    return ProviderAnswered("o1", operation, attempt, result, "no" if result == "declined" else "")


def failed(operation: Operation, attempt: int, retry_at: Instant = START + 50) -> AttemptFailed:
    return AttemptFailed("o1", operation, attempt, "timed out", retry_at)


def given(*history: Message, retries: int = 8) -> Scenario[Payment]:
    return scenario(behaviour(Retries(retries)), *history, at=START)


def effect(then: Scenario[Payment]) -> Effect | None:
    return then.behaviour.effect(then.state)


def test_an_authorization_is_recorded_before_the_provider_hears_of_it() -> None:
    then = given().when(AUTHORIZE, reply_to=SAGA).then(REQUESTED).asks()
    assert effect(then) == Effect("o1/authorize", Call("o1", "authorize", 0, PRICE, "tok_ok", ask_first=False))


def test_the_saga_hears_that_the_payment_is_authorized() -> None:
    given(REQUESTED).when(answer("authorize", "done")).then(AUTHORIZED).asks(AUTHORIZED)


def test_the_saga_hears_that_the_payment_is_declined_and_why() -> None:
    then = given(REQUESTED).when(answer("authorize", "declined")).then(DECLINED).asks(DECLINED)
    assert effect(then) is None


@pytest.mark.parametrize(
    "history", [[REQUESTED], [REQUESTED, AUTHORIZED], [REQUESTED, DECLINED], [VOID_REQUESTED, VOIDED]]
)
def test_a_second_authorization_changes_nothing(history: Sequence[Message]) -> None:
    given(*history).when(AUTHORIZE, reply_to=SAGA).then().asks()


def test_an_authorization_past_its_deadline_never_begins() -> None:
    then = given().at(DEADLINE + 1).when(AUTHORIZE).then().asks()
    assert then.state == INITIAL


def test_a_payment_that_is_not_authorized_is_not_captured() -> None:
    given().when(CAPTURE).then()
    given(REQUESTED).when(CAPTURE).then()
    given(REQUESTED, DECLINED).when(CAPTURE).then()


def test_an_authorized_payment_is_captured_once() -> None:
    then = given(REQUESTED, AUTHORIZED).when(CAPTURE).then(CAPTURE_REQUESTED).asks()
    assert effect(then) == Effect("o1/capture", Call("o1", "capture", 0, PRICE, "", ask_first=False))
    then = then.when(CAPTURE).then()
    then = then.when(answer("capture", "done")).then(CAPTURED).asks(CAPTURED)
    then = then.when(CAPTURE).then().asks(CAPTURED)
    assert effect(then) is None


def test_a_voided_payment_is_never_captured() -> None:
    given(REQUESTED, AUTHORIZED, VOID_REQUESTED).when(CAPTURE).then()
    given(REQUESTED, AUTHORIZED, VOID_REQUESTED, VOIDED).when(CAPTURE).then()


def test_a_void_that_overtakes_its_authorization_bars_it() -> None:
    barred = given().when(VOID, reply_to=SAGA).then(VOID_REQUESTED, VOIDED).asks(VOIDED)
    barred.when(AUTHORIZE, reply_to=SAGA).then().asks()


def test_a_void_just_past_the_deadline_bars_an_authorization_that_another_clock_would_let_in() -> None:
    barred = given().at(DEADLINE + CLOCKS_DIFFER).when(VOID, reply_to=SAGA).then(VOID_REQUESTED, VOIDED).asks(VOIDED)
    barred.at(DEADLINE).when(AUTHORIZE, reply_to=SAGA).then().asks()


def test_a_void_long_past_the_deadline_of_an_unknown_payment_is_answered_without_a_trace() -> None:
    then = given().at(DEADLINE + CLOCKS_DIFFER + 1).when(VOID, reply_to=SAGA).then().asks(VOIDED)
    assert then.state == INITIAL


def test_a_void_during_an_authorization_of_unknown_outcome_goes_to_the_provider() -> None:
    then = given(REQUESTED).when(VOID).then(VOID_REQUESTED).asks()
    assert effect(then) == Effect("o1/void", Call("o1", "void", 0, PRICE, "", ask_first=False))
    then.when(answer("void", "done")).then(VOIDED).asks(VOIDED)


def test_a_late_authorization_is_recorded_but_voided_all_the_same() -> None:
    then = given(REQUESTED, VOID_REQUESTED).when(answer("authorize", "done")).then(AUTHORIZED).asks()
    assert effect(then) is not None
    then = then.when(answer("authorize", "done")).then()
    then = then.when(answer("void", "done")).then(VOIDED).asks(VOIDED)
    then.when(answer("authorize", "done")).then()


def test_a_late_decline_leaves_nothing_to_void() -> None:
    then = given(REQUESTED, VOID_REQUESTED).when(answer("authorize", "declined")).then(DECLINED).asks(DECLINED)
    assert effect(then) is None


def test_a_void_of_an_authorized_payment_voids_it() -> None:
    then = given(REQUESTED, AUTHORIZED).when(VOID).then(VOID_REQUESTED).asks()
    then = then.when(VOID).then().asks()
    then = then.when(answer("void", "done")).then(VOIDED).asks(VOIDED)
    then.when(VOID).then().asks(VOIDED)


def test_a_void_of_a_captured_payment_refunds_it() -> None:
    then = given(REQUESTED, AUTHORIZED, CAPTURE_REQUESTED, CAPTURED).when(VOID).then(REFUND_REQUESTED).asks()
    assert effect(then) == Effect("o1/refund", Call("o1", "refund", 0, PRICE, "", ask_first=False))
    then = then.when(VOID).then().asks()
    then = then.when(answer("refund", "done")).then(REFUNDED).asks(REFUNDED)
    then.when(VOID).then().asks(REFUNDED)


def test_a_void_during_a_capture_waits_for_its_outcome_and_refunds() -> None:
    then = given(REQUESTED, AUTHORIZED, CAPTURE_REQUESTED).when(VOID).then(VOID_REQUESTED).asks()
    capture = effect(then)
    assert capture is not None and capture.id == "o1/capture"
    then = then.when(VOID).then()
    then = then.when(answer("capture", "done")).then(CAPTURED, REFUND_REQUESTED).asks()
    then.when(answer("refund", "done")).then(REFUNDED).asks(REFUNDED)


def test_a_void_during_a_capture_that_is_refused_voids() -> None:
    then = given(REQUESTED, AUTHORIZED, CAPTURE_REQUESTED, VOID_REQUESTED)
    then = then.when(answer("capture", "declined")).then(VOID_REQUESTED).asks()
    then.when(answer("void", "done")).then(VOIDED).asks(VOIDED)


def test_a_void_of_a_declined_payment_is_answered() -> None:
    given(REQUESTED, DECLINED).when(VOID).then().asks(VOIDED)


def test_an_unknown_outcome_is_asked_after_later() -> None:
    waiting = given(REQUESTED).when(answer("authorize", "unknown"))
    assert effect(waiting) is None
    wake = BEHAVIOUR.wake(waiting.state)
    assert wake is not None and START + 50 <= wake.at <= START + 100
    then = waiting.then(AttemptFailed("o1", "authorize", 0, "", wake.at)).when_due()
    then.then(AttemptStarted("o1", "authorize", 1)).asks()
    assert effect(then) == Effect("o1/authorize", Call("o1", "authorize", 1, PRICE, "tok_ok", ask_first=True))
    assert BEHAVIOUR.wake(then.state) is None


def test_a_stale_timer_starts_nothing() -> None:
    waiting = given(REQUESTED, failed("authorize", 0))
    waiting.when(AttemptDue("authorize", 0)).then()
    waiting.when(AttemptDue("void", 1)).then()
    given(REQUESTED).when(AttemptDue("authorize", 0)).then()
    given(REQUESTED, AUTHORIZED).when(AttemptDue("authorize", 1)).then()


def test_a_stale_silence_is_no_failure_of_the_attempt_under_way() -> None:
    given(REQUESTED, failed("authorize", 0)).when(answer("authorize", "unknown", 0)).then()
    second = given(REQUESTED, failed("authorize", 0), AttemptStarted("o1", "authorize", 1))
    second.when(answer("authorize", "unknown", 0)).then()
    given(REQUESTED, VOID_REQUESTED).when(answer("authorize", "unknown", 0)).then()


def test_a_late_success_of_an_earlier_attempt_is_a_success() -> None:
    given(REQUESTED, failed("authorize", 0)).when(answer("authorize", "done", 0)).then(AUTHORIZED)
    parked = [failed("capture", n) for n in range(7)] + [PaymentParked("o1", "capture", 8, "")]
    given(REQUESTED, AUTHORIZED, CAPTURE_REQUESTED, *parked).when(answer("capture", "done", 3)).then(CAPTURED)


def test_an_answer_to_what_was_never_asked_changes_nothing() -> None:
    given().when(answer("authorize", "done")).then()
    given(REQUESTED).when(answer("capture", "done")).then()
    given(REQUESTED, AUTHORIZED).when(answer("void", "done")).then()
    given(REQUESTED, AUTHORIZED).when(answer("authorize", "declined")).then()


def test_an_authorization_is_not_tried_past_its_deadline() -> None:
    then = given(REQUESTED).at(DEADLINE).when(answer("authorize", "unknown"))
    assert BEHAVIOUR.wake(then.state) is None
    assert effect(then) is None
    then = then.at(DEADLINE + SECOND).when(VOID).then(VOID_REQUESTED)
    assert effect(then) is not None


def test_the_back_off_doubles_up_to_a_limit_and_differs_between_orders() -> None:
    retries = Retries()
    for number, step in [(0, 100), (1, 200), (5, 3200), (9, 30 * SECOND), (500, 30 * SECOND)]:
        assert step // 2 <= retries.delay("o1", Attempt("void", number)) <= step
    assert len({retries.delay(f"o{n}", Attempt("void", 8)) for n in range(50)}) > 40


def test_a_provider_that_is_away_for_two_minutes_parks_nothing() -> None:
    retries = Retries()
    waited = sum(retries.delay("o1", Attempt("void", number)) for number in range(retries.attempts - 1))
    assert waited > 2 * MINUTE


def test_an_operation_that_keeps_failing_is_parked_and_reported() -> None:
    parked = PaymentParked("o1", "void", 2, "")
    then = given(REQUESTED, AUTHORIZED, VOID_REQUESTED, failed("void", 0), AttemptStarted("o1", "void", 1), retries=2)
    then = then.when(answer("void", "unknown", 1)).then(parked)
    then.sends(Request(SAGA, "o1", parked), Request("payment.dead-letters", "o1", VOID, SAGA))
    assert effect(then) is None and BEHAVIOUR.wake(then.state) is None and BEHAVIOUR.forget_at(then.state) is None


def test_a_refused_capture_is_parked_at_once_for_asking_again_will_not_help() -> None:
    parked = PaymentParked("o1", "capture", 1, "no")
    then = given(REQUESTED, AUTHORIZED, CAPTURE_REQUESTED).when(answer("capture", "declined")).then(parked)
    then.sends(Request(SAGA, "o1", parked), Request("payment.dead-letters", "o1", CAPTURE, SAGA))
    then.when(answer("capture", "declined")).then().asks()


def test_a_parked_operation_starts_again_for_an_operator_only() -> None:
    parked = given(REQUESTED, AUTHORIZED, CAPTURE_REQUESTED, PaymentParked("o1", "capture", 8, ""))
    parked.when(CAPTURE, actor="service:order").then().asks()
    again = parked.when(CAPTURE, actor="operator:ada").then(AttemptStarted("o1", "capture", 8)).asks()
    assert effect(again) == Effect("o1/capture", Call("o1", "capture", 8, PRICE, "", ask_first=True))
    again.when(CAPTURE, actor="operator:ada").then().asks()


def test_a_redriven_operation_has_all_its_attempts_again() -> None:
    parked = given(REQUESTED, AUTHORIZED, VOID_REQUESTED, PaymentParked("o1", "void", 2, ""), retries=2)
    parked.when(VOID, actor="service:order").then().asks()
    again = parked.when(VOID, actor="operator:ada").then(AttemptStarted("o1", "void", 2))
    waiting = again.when(answer("void", "unknown", 2))
    wake = BEHAVIOUR.wake(waiting.state)
    assert wake is not None and wake.at <= START + 100, "the back-off begins anew, too"
    waiting.when_due().when(answer("void", "unknown", 3)).then(PaymentParked("o1", "void", 4, ""))


def test_a_void_of_a_parked_capture_is_a_reason_to_try_again() -> None:
    then = given(REQUESTED, AUTHORIZED, CAPTURE_REQUESTED, PaymentParked("o1", "capture", 8, ""), retries=1)
    then = then.when(VOID).then(VOID_REQUESTED, AttemptStarted("o1", "capture", 8)).asks()
    then = then.when(answer("capture", "unknown", 8)).asks(PaymentParked("o1", "capture", 9, ""), VOID)
    then.when(VOID, actor="operator:ada").then(AttemptStarted("o1", "capture", 9))


@pytest.mark.parametrize(
    "history",
    [
        [REQUESTED, DECLINED],
        [VOID_REQUESTED, VOIDED],
        [REQUESTED, AUTHORIZED, CAPTURE_REQUESTED, CAPTURED],
        [REQUESTED, AUTHORIZED, CAPTURE_REQUESTED, CAPTURED, REFUND_REQUESTED, REFUNDED],
    ],
)
def test_a_finished_payment_is_forgotten_a_while_after_its_deadline(history: Sequence[Message]) -> None:
    assert BEHAVIOUR.forget_at(given(*history).state) == DEADLINE + REMEMBERED == DEADLINE + 2 * MINUTE


@pytest.mark.parametrize(
    "history",
    [[], [REQUESTED], [REQUESTED, AUTHORIZED], [REQUESTED, VOID_REQUESTED], [REQUESTED, failed("authorize", 9)]],
)
def test_an_unfinished_payment_is_never_forgotten(history: Sequence[Message]) -> None:
    assert BEHAVIOUR.forget_at(given(*history).state) is None


def test_the_card_token_is_kept_no_longer_than_it_is_needed() -> None:
    for end in (AUTHORIZED, DECLINED, VOID_REQUESTED):
        assert b"tok_ok" not in BEHAVIOUR.dump(given(REQUESTED, end).state)
