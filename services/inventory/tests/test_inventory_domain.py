"""Stock of one SKU: one hold per order, once, and nothing lost."""

from typing import Any

import pytest
from hypothesis import given as whatever
from hypothesis import strategies as st

from common.clock import HOUR, MINUTE, SECOND
from common.contracts.inventory import (
    HoldsSwept,
    ProductPut,
    PutProduct,
    ReceiptRefused,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    ShipStock,
    StockReceived,
    StockRefused,
    StockReleased,
    StockReserved,
    StockShipped,
    SweepDue,
)
from common.contracts.money import Money
from common.contracts.order import CheckHold
from common.decider import Wake
from common.errors import MessageError
from common.messages import Message, Request
from common.testing.given import Scenario, given
from inventory.domain import INITIAL, Stock, decide, evolve
from inventory.handlers import BEHAVIOUR

PRICE = Money(450, "EUR")
BY = 11_000
RESERVE, RELEASE, SHIP = ReserveStock("tea", "o1", 2, BY), ReleaseStock("tea", "o1", BY), ShipStock("tea", "o1")
RESERVED, SHIPPED = StockReserved("tea", "o1", 2, BY), StockShipped("tea", "o1", 2)


def shelf(*history: Message) -> Scenario[Stock]:
    return given(BEHAVIOUR, ProductPut("Tea", PRICE), StockReceived("r1", 5), *history, key="tea")


def test_a_product_is_put_and_changed_and_put_again_without_effect() -> None:
    story = given(BEHAVIOUR, key="tea").when(PutProduct("tea", "Tea", PRICE)).then(ProductPut("Tea", PRICE))
    story.when(PutProduct("tea", "Tea", PRICE)).then()
    story.when(PutProduct("tea", "Tea", Money(500, "EUR"))).then(ProductPut("Tea", Money(500, "EUR")))


def test_a_receipt_counts_once() -> None:
    story = shelf().when(ReceiveStock("tea", "r2", 3)).then(StockReceived("r2", 3))
    story.when(ReceiveStock("tea", "r2", 3)).then().when(ReceiveStock("tea", "r1", 3)).then()
    assert story.state.free == 8


def test_stock_of_an_unknown_product_is_not_received() -> None:
    refused = ReceiptRefused("r1", 3, "unknown product")
    given(BEHAVIOUR, key="tea").when(ReceiveStock("tea", "r1", 3)).then(refused)


def test_more_than_a_warehouse_can_count_is_not_received() -> None:
    full = 10**12 - 5
    story = shelf().when(ReceiveStock("tea", "r2", full)).then(StockReceived("r2", full))
    story.when(ReceiveStock("tea", "r3", 1)).then(
        ReceiptRefused("r3", 1, f"more than {10**12} pieces would be in stock")
    )


@pytest.mark.parametrize("command", [ReceiveStock("tea", "r9", 0), ReserveStock("tea", "o1", -1, BY)])
def test_a_quantity_below_one_is_poison(command: Message) -> None:
    with pytest.raises(MessageError):
        shelf().when(command)


def test_stock_is_held_and_the_order_is_told_where_it_asked_to_be() -> None:
    story = shelf().when(RESERVE, reply_to="order.commands").then(RESERVED)
    story.sends(Request("order.commands", "o1", RESERVED))
    assert (story.state.free, story.state.held["o1"].quantity) == (3, 2)


def test_nobody_is_told_who_did_not_ask() -> None:
    shelf().when(RESERVE).then(RESERVED).asks()


def test_a_redelivered_command_changes_nothing() -> None:
    story = shelf().when(RESERVE).when(RESERVE).then().asks()
    story.when(RELEASE).when(RELEASE).then().asks()
    story.when(SHIP).when(SHIP).then().asks()


def test_the_shelf_is_empty_for_who_wants_more_than_is_free() -> None:
    shelf().when(ReserveStock("tea", "o1", 6, BY)).then(StockRefused("tea", "o1", 5, "out of stock", BY))


def test_an_unknown_product_is_refused() -> None:
    given(BEHAVIOUR, key="tea").when(RESERVE).then(StockRefused("tea", "o1", 0, "unknown product", BY))


def test_a_refused_order_never_gets_stock_later() -> None:
    story = shelf().when(ReserveStock("tea", "o1", 6, BY)).when(ReceiveStock("tea", "r2", 9))
    story.when(ReserveStock("tea", "o1", 6, BY)).then()


def test_a_released_order_never_gets_stock_again() -> None:
    story = shelf(RESERVED).when(RELEASE).then(StockReleased("tea", "o1", 2, BY))
    assert story.state.free == 5
    story.when(RESERVE).then()


def test_a_release_that_overtakes_its_reservation_bars_it() -> None:
    shelf().when(RELEASE).then(StockReleased("tea", "o1", 0, BY)).when(RESERVE).then()


def test_shipped_goods_are_neither_released_nor_reserved_again() -> None:
    story = shelf(RESERVED).when(SHIP, reply_to="order.commands").then(SHIPPED).asks(SHIPPED)
    story.when(RELEASE).then().when(RESERVE).then().when(SHIP).then()
    assert (story.state.free, story.state.shipped) == (3, 2)


def test_nothing_is_shipped_that_is_not_held() -> None:
    shelf().when(SHIP).then().asks()


def test_a_reservation_past_its_deadline_is_ignored() -> None:
    shelf().at(BY).when(RESERVE).then().asks()
    shelf().at(BY - 1).when(RESERVE).then(RESERVED)


def test_a_door_that_a_sweep_forgot_stays_closed_even_when_the_clock_goes_back() -> None:
    story = shelf().when(RELEASE).at(2 * MINUTE).when(SweepDue())
    assert not story.state.closed
    story.at(BY - SECOND).when(RESERVE).then()


def test_a_later_deadline_is_not_behind_the_horizon() -> None:
    later = ReserveStock("tea", "o2", 1, BY + 1)
    story = shelf().when(RELEASE).at(2 * MINUTE).when(SweepDue())
    story.at(BY).when(later).then(StockReserved("tea", "o2", 1, BY + 1))


def test_the_order_of_an_overdue_hold_is_asked_at_every_sweep_and_the_hold_stays() -> None:
    story = shelf(RESERVED).at(BY + MINUTE).when(SweepDue()).then(HoldsSwept(("o1",), BY + 2 * MINUTE))
    story.sends(Request("order.commands", "o1", CheckHold("o1", "tea"), reply_to="inventory.commands"))
    assert "o1" in story.state.held
    story.when(SweepDue()).then()  # once is enough
    story.when_due().then(HoldsSwept(("o1",), BY + 3 * MINUTE))


def test_a_sweep_is_planned_when_there_is_something_to_sweep_and_only_then() -> None:
    assert BEHAVIOUR.wake(given(BEHAVIOUR, ProductPut("Tea", PRICE)).state) is None
    week = 7 * 24 * HOUR
    assert BEHAVIOUR.wake(shelf().state) == Wake(1_000 + week, SweepDue())
    story = shelf(RESERVED, SHIPPED)
    assert BEHAVIOUR.wake(story.state) == Wake(1_000 + MINUTE, SweepDue())
    story = story.when_due().then(HoldsSwept((), 1_000 + week)).when_due().then(HoldsSwept((), 0))
    assert BEHAVIOUR.wake(story.state) is None
    assert not story.state.receipts


def test_a_deadline_far_away_does_not_make_a_sweep_repeat_itself() -> None:
    far = ReleaseStock("tea", "o2", 9 * HOUR)
    shelf().when(far).when_due().then(HoldsSwept((), 9 * HOUR))


def test_a_receipt_of_schema_version_1_is_still_read() -> None:
    old = BEHAVIOUR.events.decode("StockReceived", 1, b'{"quantity":4}')
    assert old == StockReceived("unknown", 4)
    assert BEHAVIOUR.events.version("StockReceived") == 2


ORDERS = st.sampled_from(["o1", "o2", "o3"])
QUANTITIES = st.integers(1, 4)
DEADLINES = st.integers(0, 300).map(lambda s: s * SECOND)
COMMANDS = st.one_of(
    st.builds(PutProduct, st.just("tea"), st.just("Tea"), st.just(PRICE)),
    st.builds(ReceiveStock, st.just("tea"), st.sampled_from(["r1", "r2", "r3"]), QUANTITIES),
    st.builds(ReserveStock, st.just("tea"), ORDERS, QUANTITIES, DEADLINES),
    st.builds(ReleaseStock, st.just("tea"), ORDERS, DEADLINES),
    st.builds(ShipStock, st.just("tea"), ORDERS),
    st.just(SweepDue()),
)


@whatever(st.lists(st.tuples(COMMANDS, DEADLINES), max_size=40))
def test_whatever_comes_in_whatever_order_at_any_time_stock_is_conserved(story: list[tuple[Any, int]]) -> None:
    stock, received, given_away = INITIAL, 0, set[str]()
    for command, at in story:
        for event in decide(stock, command, at):
            stock = evolve(stock, event, at)
            received += event.quantity if isinstance(event, StockReceived) else 0
            if isinstance(event, StockShipped):
                assert event.order_id not in given_away, "shipped twice"
                given_away.add(event.order_id)
        held = sum(hold.quantity for hold in stock.held.values())
        assert received == stock.received == stock.free + held + stock.shipped
        assert min(stock.free, held, stock.shipped) >= 0
        assert not set(stock.held) & set(stock.closed)


@whatever(st.booleans(), DEADLINES, st.lists(st.tuples(COMMANDS, DEADLINES)))
def test_after_a_release_no_copy_of_the_reservation_holds_anything(
    was_held: bool, deadline: int, later: list[tuple[Any, int]]
) -> None:
    reserve, release = ReserveStock("tea", "o1", 1, deadline), ReleaseStock("tea", "o1", deadline)
    others = [(command, at) for command, at in later if getattr(command, "order_id", "") != "o1"]
    stock = shelf().state
    for command, at in [*([(reserve, 0)] if was_held else []), (release, 0), *others]:
        for event in decide(stock, command, at):
            stock = evolve(stock, event, at)
        assert command is reserve or not decide(stock, reserve, at), "the door was opened again"
