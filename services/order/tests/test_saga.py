"""The order saga: forward, backward, and what it does not listen to."""

from collections.abc import Callable

import pytest

from common.clock import SECOND
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
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PlaceOrder,
    RequestCancellation,
    StepDue,
    StepTimedOut,
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
from common.messages import Message, Request
from common.testing.given import Scenario, given
from order.handlers import BEHAVIOUR, OrderState

Story = Scenario[OrderState]

LINES = (Line("tea", 2, Money(450, "EUR")), Line("pot", 1, Money(1999, "EUR")))
TOTAL = Money(2899, "EUR")
PLACED = OrderPlaced("o1", "alice", LINES, TOTAL, "tok_ok", "print-1")
TEA, POT = StockReserved("tea", "o1", 2, 11_000), StockReserved("pot", "o1", 1, 11_000)
RELEASE_TEA, RELEASE_POT = ReleaseStock("tea", "o1", 11_000), ReleaseStock("pot", "o1", 11_000)
TEA_RELEASED, POT_RELEASED = StockReleased("tea", "o1", 2, 11_000), StockReleased("pot", "o1", 1, 11_000)
NO_TEA = StockRefused("tea", "o1", 1, "out of stock", 11_000)
VOID = VoidPayment("o1", 11_000)
SILENCE = "payment provider did not answer in time"


def reserving() -> Story:
    return given(BEHAVIOUR, PLACED)


def authorizing() -> Story:
    return given(BEHAVIOUR, PLACED, TEA, POT)


def settling() -> Story:
    return authorizing().when(PaymentAuthorized("o1"))


def voiding() -> Story:
    return authorizing().when_due()


def releasing() -> Story:
    return voiding().when(PaymentVoided("o1"))


def test_every_line_is_reserved_at_once() -> None:
    place = PlaceOrder("o1", "alice", LINES, "tok_ok", "print-1")
    tea, pot = ReserveStock("tea", "o1", 2, 11_000), ReserveStock("pot", "o1", 1, 11_000)
    given(BEHAVIOUR).when(place).sends(
        Request("inventory.commands", "tea", tea, reply_to="order.commands"),
        Request("inventory.commands", "pot", pot, reply_to="order.commands"),
    )


def test_the_payment_is_authorized_when_the_last_line_is_held() -> None:
    authorize = AuthorizePayment("o1", TOTAL, "tok_ok", deadline=12_000, customer="alice")
    reserving().when(TEA).then(TEA).asks().when(TEA).asks().at(2_000).when(POT).then(POT).sends(
        Request("payment.commands", "o1", authorize, reply_to="order.commands")
    )


def test_an_authorized_order_is_confirmed_in_the_same_decision() -> None:
    authorized = PaymentAuthorized("o1")
    authorizing().when(authorized).then(authorized, OrderConfirmed("o1")).asks(
        CapturePayment("o1"), ShipStock("tea", "o1"), ShipStock("pot", "o1")
    )


def test_a_settled_order_is_finished_in_whatever_order_the_answers_come() -> None:
    captured, tea, pot = PaymentCaptured("o1", TOTAL), StockShipped("tea", "o1", 2), StockShipped("pot", "o1", 1)
    for answers in [(captured, tea, pot), (tea, captured, pot), (pot, tea, captured)]:
        story = settling()
        for answer in answers:
            assert story.state.finished_at == 0
            story = story.when(answer).then(answer).asks()
        assert story.state.finished_at > 0


def test_settling_asks_again_only_for_what_is_outstanding() -> None:
    story = settling().when(StockShipped("tea", "o1", 2)).when_due().then(StepTimedOut("settling", 0))
    story.asks(CapturePayment("o1"), ShipStock("pot", "o1"))
    story.when(PaymentCaptured("o1", TOTAL)).when_due().asks(ShipStock("pot", "o1"))


def test_reminders_come_less_and_less_often_up_to_once_a_minute() -> None:
    story, pauses = settling(), []
    for _ in range(6):
        before, story = story.now, story.when_due()
        pauses.append((story.now - before) // SECOND)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_a_refused_line_releases_the_others_and_then_cancels() -> None:
    story = reserving().when(NO_TEA).then(NO_TEA).asks(RELEASE_POT)
    story.when(POT_RELEASED).then(POT_RELEASED, OrderCancelled("o1", "out of stock: tea")).asks()


def test_an_order_whose_only_line_is_refused_is_cancelled_at_once() -> None:
    placed = OrderPlaced("o1", "alice", LINES[:1], Money(900, "EUR"), "tok_ok", "print-1")
    given(BEHAVIOUR, placed).when(NO_TEA).then(NO_TEA, OrderCancelled("o1", "out of stock: tea")).asks()


def test_a_second_refusal_is_as_good_as_a_release() -> None:
    no_pot = StockRefused("pot", "o1", 0, "out of stock", 11_000)
    reserving().when(NO_TEA).when(no_pot).then(no_pot, OrderCancelled("o1", "out of stock: tea"))


def test_silent_inventory_releases_every_line_whether_it_answered_or_not() -> None:
    story = reserving().when(TEA).when_due().then(StepTimedOut("reserving", 0)).asks(RELEASE_TEA, RELEASE_POT)
    story = story.when(POT).asks()  # too late
    cancelled = OrderCancelled("o1", "inventory did not answer in time")
    story.when(POT_RELEASED).asks().when(TEA_RELEASED).then(TEA_RELEASED, cancelled)


def test_a_declined_payment_needs_no_void() -> None:
    declined = PaymentDeclined("o1", "card expired")
    story = authorizing().when(declined).then(declined).asks(RELEASE_TEA, RELEASE_POT)
    cancelled = OrderCancelled("o1", "payment declined: card expired")
    story.when(TEA_RELEASED).when(POT_RELEASED).then(POT_RELEASED, cancelled)


def test_a_silent_provider_may_have_charged_so_the_payment_is_voided_before_stock_is_released() -> None:
    story = authorizing().when_due().then(StepTimedOut("authorizing", 0)).asks(VOID)
    story = story.when(PaymentVoided("o1")).asks(RELEASE_TEA, RELEASE_POT)
    story.when(TEA_RELEASED).when(POT_RELEASED).then(POT_RELEASED, OrderCancelled("o1", SILENCE))


def test_an_authorization_that_is_parked_is_voided() -> None:
    authorizing().when(PaymentParked("o1", "authorize", 9, "500")).asks(VOID)


def test_an_authorization_that_comes_after_we_gave_up_confirms_nothing() -> None:
    authorized = PaymentAuthorized("o1")
    voiding().when(authorized).then(authorized).asks()


@pytest.mark.parametrize(
    "end",
    [PaymentVoided("o1"), PaymentRefunded("o1", TOTAL), PaymentDeclined("o1", "late no")],
    ids=lambda e: type(e).__name__,
)
def test_voiding_ends_with_any_word_that_nothing_is_charged(end: Message) -> None:
    voiding().when(end).asks(RELEASE_TEA, RELEASE_POT)


def test_undoing_asks_again_until_it_is_done() -> None:
    voiding().when_due().then(StepTimedOut("voiding", 0)).asks(VOID).when_due().asks(VOID)
    releasing().when(TEA_RELEASED).when_due().asks(RELEASE_POT)


def test_a_parked_void_sends_no_reminders_and_goes_on_when_it_is_answered_at_last() -> None:
    story = voiding().when(PaymentParked("o1", "void", 9, "500")).asks()
    assert BEHAVIOUR.wake(story.state) is None
    story.when(PaymentVoided("o1")).asks(RELEASE_TEA, RELEASE_POT)


def test_a_parked_capture_leaves_the_order_confirmed_and_its_goods_on_their_way() -> None:
    story = settling().when(PaymentParked("o1", "capture", 9, "500")).asks()
    story = story.when_due().asks(ShipStock("tea", "o1"), ShipStock("pot", "o1"))
    story = story.when(StockShipped("tea", "o1", 2)).when(StockShipped("pot", "o1", 1)).asks()
    assert (story.state.saga.step, BEHAVIOUR.wake(story.state)) == ("parked", None)
    assert story.when(PaymentCaptured("o1", TOTAL)).state.finished_at


def test_a_customer_cancels_while_lines_are_reserved() -> None:
    story = reserving().when(RequestCancellation("o1")).then(CancellationRequested("user:alice"))
    story = story.asks(RELEASE_TEA, RELEASE_POT).when(TEA_RELEASED).when(POT_RELEASED)
    story.then(POT_RELEASED, OrderCancelled("o1", "cancelled by customer"))


def test_a_customer_cancels_while_the_payment_is_authorized() -> None:
    authorizing().when(RequestCancellation("o1")).then(CancellationRequested("user:alice")).asks(VOID)


@pytest.mark.parametrize("story", [voiding, releasing])
def test_the_first_reason_stands(story: Callable[[], Story]) -> None:
    after = story().when(RequestCancellation("o1")).then(CancellationRequested("user:alice")).asks()
    assert after.state.saga.reason == SILENCE


@pytest.mark.parametrize("story", [reserving, authorizing, settling, voiding, releasing])
@pytest.mark.parametrize(
    "timer", [StepDue("reserving", 1), StepDue("authorizing", 1), StepDue("settling", 1), StepDue("new", 0)]
)
def test_a_stale_timer_changes_nothing(story: Callable[[], Story], timer: StepDue) -> None:
    story().when(timer).then().asks()


def test_a_timer_of_an_earlier_step_changes_nothing() -> None:
    authorizing().when(StepDue("reserving", 0)).then().asks()
    settling().when(StepDue("authorizing", 0)).then().asks()
    releasing().when(StepDue("voiding", 0)).then().asks()


def test_a_reply_to_an_order_that_nobody_knows_changes_nothing() -> None:
    given(BEHAVIOUR).when(TEA).then().asks()
