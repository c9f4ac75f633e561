"""The order read model as a pure fold, and the story that the timeline tells."""

import pytest

from common.codec import decode_history
from common.contracts.inventory import ProductPut, StockReleased, StockReserved, StockShipped
from common.contracts.money import Money
from common.contracts.order import Line, OrderCancelled, OrderConfirmed, OrderPlaced
from common.contracts.payment import PaymentAuthorized, PaymentCaptured
from common.eventlog import Stored
from common.projector import Changes, Gap
from common.readmodel import Entry
from common.testing.histories import History
from order import timeline
from order.projection import OrderProjection, OrderView, price_key, read

ID = "ord_" + "0" * 32
EURO = Money(1999, "EUR")
PLACED = OrderPlaced(ID, "alice", (Line("tea", 2, EURO),), EURO.times(2), "tok_ok", "print")


def fold(*records: Stored) -> Changes:
    changes = Changes()
    for record in records:
        own = record.topic == "order.events"
        OrderProjection().fold(changes, record, decode_history(record.value or b"") if own else None)
    return changes


def view(changes: Changes) -> OrderView:
    return read(changes.documents[ID])


def test_a_placed_order_is_pending_and_listed_for_its_customer() -> None:
    changes = fold(History("order", ID).record(PLACED))
    assert (view(changes).status, view(changes).total.amount, view(changes).version) == ("pending", 3998, 1)
    assert [entry.list for entry in changes.entries] == ["orders/alice", f"timeline/{ID}"]


def test_a_confirmed_order_is_settled_when_it_is_captured_and_every_line_is_shipped() -> None:
    history = History("order", ID)
    records = [
        history.record(PLACED),
        history.record(PaymentAuthorized(ID), OrderConfirmed(ID)),
        history.record(PaymentCaptured(ID, EURO)),
    ]
    assert (view(fold(*records)).status, view(fold(*records)).settled) == ("confirmed", False)
    records.append(history.record(StockShipped("tea", ID, 2)))
    assert view(fold(*records)).settled


def test_a_cancelled_order_says_why_and_is_settled() -> None:
    history = History("order", ID)
    found = view(fold(history.record(PLACED), history.record(OrderCancelled(ID, "payment declined"))))
    assert (found.status, found.reason, found.settled) == ("cancelled", "payment declined", True)


def test_a_record_that_was_folded_before_changes_nothing() -> None:
    history = History("order", ID)
    first, second = history.record(PLACED), history.record(OrderConfirmed(ID))
    assert view(fold(first, second, first, second)) == view(fold(first, second))


def test_a_gap_stops_the_fold() -> None:
    history = History("order", ID)
    first, _, third = (
        history.record(PLACED),
        history.record(OrderConfirmed(ID)),
        history.record(PaymentCaptured(ID, EURO)),
    )
    with pytest.raises(Gap, match="run `orderly replay --switch`"):
        fold(first, third)


def test_a_record_without_events_leaves_the_document_alone_but_is_told() -> None:
    history = History("order", ID)
    changes = fold(history.record(PLACED), history.record(cause="PlaceOrder"))
    assert view(changes).version == 1
    assert len([entry for entry in changes.entries if entry.list == f"timeline/{ID}"]) == 2


def test_prices_follow_the_inventory() -> None:
    changes = fold(History("inventory", "tea").record(ProductPut("Tea", EURO)))
    assert b'"amount":1999' in changes.documents[price_key("tea")].body


def test_what_other_services_do_for_the_order_is_told_too() -> None:
    record = History("inventory", "tea", correlation=ID).record(StockReserved("tea", ID, 2, 0))
    assert [entry.list for entry in fold(record).entries] == [f"timeline/{ID}"]


def test_an_entry_of_a_replay_replaces_itself() -> None:
    record = History("order", ID).record(PLACED)
    first, second = fold(record).entries, fold(record).entries
    assert [Entry(*entry) for entry in first] == second


def test_the_timeline_tells_cause_and_consequence_in_order_of_time() -> None:
    order = History("order", ID)
    inventory = History("inventory", "tea", correlation=ID, at=1_700_000_000_005)
    placed = order.record(PLACED, cause="PlaceOrder")
    reserved = inventory.record(StockReserved("tea", ID, 2, 0), cause="ReserveStock")
    heard = order.record(StockReserved("tea", ID, 2, 0), cause="StockReserved", kind="reply")
    released = inventory.record(StockReleased("tea", ID, 2, 0), cause="ReleaseStock")
    told = timeline.tell([heard, released, placed, reserved])
    assert [(entry["service"], entry["kind"], entry["type"], entry["step"]) for entry in told] == [
        ("order", "command", "PlaceOrder", "place"),
        ("order", "event", "OrderPlaced", "place"),
        ("inventory", "command", "ReserveStock", "reserve"),
        ("inventory", "event", "StockReserved", "reserve"),
        ("order", "reply", "StockReserved", "reserve"),
        ("inventory", "compensation", "ReleaseStock", "release"),
        ("inventory", "compensation", "StockReleased", "release"),
    ]
    assert {entry["trace_id"] for entry in told} == {"a" * 32}
    assert all(entry["actor"] and entry["causation_id"] for entry in told)
