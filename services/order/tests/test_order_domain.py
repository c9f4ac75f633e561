"""The order as its customer sees it."""

import sys

import pytest

from common.clock import MINUTE
from common.contracts.inventory import ReleaseStock, ShipStock, StockReserved, StockShipped
from common.contracts.money import Money
from common.contracts.order import (
    CancellationRefused,
    CancellationRequested,
    CheckHold,
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    Patience,
    PlaceOrder,
    RequestCancellation,
)
from common.contracts.payment import PaymentAuthorized, PaymentCaptured
from common.errors import MessageError
from common.messages import Request
from common.testing.given import given
from order.handlers import BEHAVIOUR, behaviour

LINES = (Line("tea", 2, Money(450, "EUR")), Line("pot", 1, Money(1999, "EUR")))
PLACE = PlaceOrder("o1", "alice", LINES, "tok_ok", "print-1")
PLACED = OrderPlaced("o1", "alice", LINES, Money(2899, "EUR"), "tok_ok", "print-1")
SOLD = (
    PLACED,
    StockReserved("tea", "o1", 2, 11_000),
    StockReserved("pot", "o1", 1, 11_000),
    PaymentAuthorized("o1"),
    OrderConfirmed("o1"),
)
SETTLED = (PaymentCaptured("o1", Money(2899, "EUR")), StockShipped("tea", "o1", 2), StockShipped("pot", "o1", 1))


def test_an_order_is_placed_at_the_sum_of_its_lines() -> None:
    given(BEHAVIOUR).when(PLACE).then(PLACED)


def test_its_patience_is_part_of_its_history() -> None:
    hasty = Patience(reserve=1, authorize=2)
    placed = given(behaviour(hasty)).when(PLACE).decision.events[0]
    assert placed.patience == hasty


@pytest.mark.parametrize("fingerprint", ["print-1", "another body"])
@pytest.mark.parametrize("history", [(PLACED,), SOLD, (*SOLD, *SETTLED)], ids=["pending", "confirmed", "finished"])
def test_a_twin_changes_nothing(history: tuple[object, ...], fingerprint: str) -> None:
    twin = PlaceOrder("o1", "alice", LINES[:1], "tok_ok", fingerprint)
    given(BEHAVIOUR, *history).when(twin).then().asks()


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (Line("tea", 0, Money(450, "EUR")),),
        (Line("tea", 1, Money(450, "EUR")), Line("pot", 1, Money(450, "SEK"))),
    ],
    ids=["no lines", "no pieces", "two currencies"],
)
def test_an_order_that_nobody_could_pay_is_poison(lines: tuple[Line, ...]) -> None:
    with pytest.raises(MessageError):
        given(BEHAVIOUR).when(PlaceOrder("o1", "alice", lines, "tok_ok", "print-1"))


def test_a_pending_order_can_be_cancelled_once() -> None:
    story = given(BEHAVIOUR, PLACED).when(RequestCancellation("o1")).then(CancellationRequested("user:alice"))
    story.when(RequestCancellation("o1")).then().asks()


@pytest.mark.parametrize("history", [SOLD, (*SOLD, *SETTLED)], ids=["settling", "finished"])
def test_a_confirmed_order_cannot_be_cancelled(history: tuple[object, ...]) -> None:
    refused = CancellationRefused("user:alice", "the order is already confirmed")
    given(BEHAVIOUR, *history).when(RequestCancellation("o1")).then(refused).asks()


def test_cancelling_an_order_that_is_cancelled_or_never_was_changes_nothing() -> None:
    given(BEHAVIOUR).when(RequestCancellation("o1")).then().asks()
    given(BEHAVIOUR, PLACED, OrderCancelled("o1", "why")).when(RequestCancellation("o1")).then().asks()


def test_stock_held_for_an_order_that_nobody_knows_is_released() -> None:
    release = ReleaseStock("tea", "o1", deadline=1_000)
    request = Request("inventory.commands", "tea", release, reply_to="order.commands")
    given(BEHAVIOUR).when(CheckHold("o1", "tea")).then().sends(request)


def test_stock_held_for_a_confirmed_order_is_shipped_and_for_a_pending_one_left_alone() -> None:
    given(BEHAVIOUR, PLACED).when(CheckHold("o1", "tea")).then().asks()
    given(BEHAVIOUR, *SOLD).when(CheckHold("o1", "tea")).then().asks(ShipStock("tea", "o1"))
    given(BEHAVIOUR, *SOLD, *SETTLED).when(CheckHold("o1", "tea")).then().asks(ShipStock("tea", "o1"))


def test_a_finished_order_hears_nothing_and_is_forgotten_after_a_quarter_of_an_hour() -> None:
    story = given(BEHAVIOUR, *SOLD, *SETTLED, at=5_000)
    story.when(PaymentAuthorized("o1")).then().asks()
    assert BEHAVIOUR.wake(story.state) is None
    assert BEHAVIOUR.forget_at(story.state) == 5_000 + 15 * MINUTE


def test_a_refused_cancellation_does_not_make_a_finished_order_be_remembered_longer() -> None:
    story = given(BEHAVIOUR, *SOLD, *SETTLED, at=5_000).at(9_000).when(RequestCancellation("o1"))
    assert BEHAVIOUR.forget_at(story.state) == 5_000 + 15 * MINUTE


def test_finished_orders_share_all_but_the_moment_they_ended() -> None:
    one = given(BEHAVIOUR, *SOLD, *SETTLED, at=5_000).state
    two = BEHAVIOUR.load(BEHAVIOUR.dump(given(BEHAVIOUR, *SOLD, *SETTLED, at=6_000).state))
    assert one.order is two.order
    assert one.saga is two.saga
    assert sys.getsizeof(one) + sys.getsizeof(one.finished_at) < 100
