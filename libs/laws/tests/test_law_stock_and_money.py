"""L4, L5, L6: goods and money are neither lost nor made, and what is cancelled holds none of either."""

import pytest

from common.clock import HOUR, MINUTE
from common.contracts.inventory import StockReceived, StockReserved
from common.contracts.money import Money
from common.contracts.payment import PaymentAuthorized, PaymentCaptured
from common.eventlog import Stored
from common.topology import INVENTORY, ORDER, PAYMENT, events
from laws.ledger import LedgerRow, OperationRow, by_payment
from laws.shipments import Shipments
from laws.stream import Stream
from laws.testing import Script, Story, valid
from laws.verdict import Tally

CAPTURED = events(PAYMENT), "PaymentCaptured"


def again(script: Script, record: Stored) -> Stored:
    """Another input for the same aggregate, so that something more can happen to it."""
    topic = record.topic.replace("events", "commands")
    return script.append(topic, record.key, b"{}", {**record.headers, "id": f"again-{script.now}"})


def test_stock_that_vanishes_is_found_at_the_record_where_it_does() -> None:
    script = valid()
    script.rewrite(script.find(events(INVENTORY), "StockReceived", "tea"), "StockReceived", quantity=1)
    verdict = script.verdicts()["L4"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "SKU tea at inventory.events/" in verdict.first
    assert "something is negative: received 1, free -1" in verdict.first


def test_a_release_of_more_than_was_held_does_not_add_up() -> None:
    script = valid()
    script.rewrite(script.find(events(INVENTORY), "StockReleased"), "StockReleased", quantity=2)
    verdict = script.verdicts()["L4"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "does not add up" in verdict.first


def test_a_shipment_of_what_nobody_held_does_not_add_up() -> None:
    script = valid()
    script.drop(script.find(events(INVENTORY), "StockReserved", "mug"))
    assert script.verdicts()["L4"].verdict == "broken"


def test_an_order_that_holds_the_same_goods_twice_breaks_the_law_of_stock() -> None:
    script = valid()
    reserved = script.find(events(INVENTORY), "StockReserved")
    script.decide(again(script, reserved), StockReserved(reserved.key, "ord_new", 1, 0))
    script.decide(again(script, reserved), StockReserved(reserved.key, "ord_new", 1, 0))
    verdict = script.verdicts()["L4"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "order ord_new holds it twice" in verdict.first


def test_a_receipt_that_counts_twice_breaks_the_law_of_stock_until_it_is_forgotten() -> None:
    script = valid()
    received = script.find(events(INVENTORY), "StockReceived")
    script.now += 6 * 24 * HOUR
    script.decide(again(script, received), StockReceived("r1", 1))
    script.now += 8 * 24 * HOUR
    script.decide(again(script, received), StockReceived("r1", 1))
    verdict = script.verdicts()["L4"]
    assert verdict.broken == 1
    assert verdict.first is not None and "SKU tea: receipt r1 counted again at" in verdict.first


def test_goods_that_were_sold_and_never_shipped_break_the_law_of_stock() -> None:
    script = valid()
    Story(script, "ord_moving").confirmed()
    assert script.verdicts(settled=False)["L4"].verdict == "unknown"
    verdict = script.verdicts()["L4"]
    assert verdict.broken == 2
    assert verdict.first == "order ord_moving: 1 of SKU tea sold, and not shipped"


def test_goods_that_were_shipped_and_never_sold_break_the_law_of_stock() -> None:
    script = valid()
    shipped = script.find(events(INVENTORY), "StockShipped")
    tally = Tally("L4", "")
    shipments = Shipments(script.history(), tally)
    stream = Stream()
    shipments.listen(stream)
    script.rewrite(shipped, "StockShipped", order_id="ord_poor", quantity=3)
    stream.run(script.history())
    shipments.judge()
    assert tally.verdict().worst == "order ord_poor: 3 of SKU tea shipped, and not sold"
    assert tally.verdict().first == "order ord_sold: 1 of SKU tea sold, and not shipped"


def test_a_confirmed_order_that_nobody_paid_for_breaks_the_law_of_money() -> None:
    script = valid()
    script.drop(script.find(*CAPTURED))
    verdict = script.verdicts()["L5"]
    assert verdict.broken == 2  # against the order, and against the provider's ledger
    assert verdict.first == "order ord_sold: 0 EUR kept, 1000 owed"


def test_a_second_capture_breaks_the_law_of_money() -> None:
    script = valid()
    captured = script.find(*CAPTURED)
    script.decide(again(script, captured), PaymentCaptured(captured.key, Money(1000, "EUR")))
    verdict = script.verdicts()["L5"]
    assert verdict.first is not None and "order ord_sold: captured at" in verdict.first
    assert "the 2. time" in verdict.first


@pytest.mark.parametrize("amount", [{"amount": 999, "currency": "EUR"}, {"amount": 1000, "currency": "USD"}])
def test_a_capture_of_another_amount_breaks_the_law_of_money(amount: dict[str, object]) -> None:
    script = valid()
    script.rewrite(script.find(*CAPTURED), "PaymentCaptured", amount=amount)
    assert script.verdicts()["L5"].verdict == "broken"


def test_money_kept_for_a_cancelled_order_is_broken_at_once() -> None:
    script = valid()
    voided = script.find(events(PAYMENT), "PaymentVoided", "ord_silent")
    script.decide(again(script, voided), PaymentCaptured("ord_silent", Money(1000, "EUR")))
    verdict = script.verdicts(settled=False)["L5"]
    assert verdict.verdict == "broken"
    assert verdict.first == "order ord_silent: 1000 EUR kept, 0 owed"


def test_a_confirmed_order_is_open_until_its_capture_is_due() -> None:
    script = valid()
    Story(script, "ord_moving").confirmed()
    assert script.verdicts(settled=False)["L5"].verdict == "unknown"
    assert script.verdicts(settled=False, now=script.now + 6 * MINUTE)["L5"].verdict == "broken"


def ledger(script: Script, order_id: str, **fields: object) -> None:
    script.ledger[order_id].update(fields)  # type: ignore[typeddict-item]  # a planted violation


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"captured": 0, "status": "authorized"}, "the provider's ledger kept 0, the log 1000 EUR"),
        ({"captured": 2000}, "the provider's ledger kept 2000, the log 1000 EUR"),
        ({"refunded": 1000, "status": "refunded"}, "the provider's ledger kept 0, the log 1000 EUR"),
        ({"amount": 999}, "999 captured in the provider's ledger, 1000 ordered"),
    ],
)
def test_a_ledger_that_disagrees_breaks_the_law_of_money(fields: dict[str, object], said: str) -> None:
    script = valid()
    ledger(script, "ord_sold", **fields)
    verdict = script.verdicts()["L5"]
    assert verdict.verdict == "broken"
    assert verdict.first == f"order ord_sold: {said}"


def test_money_that_the_provider_took_for_nobody_breaks_the_law_of_money() -> None:
    script = valid()
    script.ledger["ord_x"] = LedgerRow(reference="ord_x", status="captured", amount=5, captured=5, refunded=0)
    assert script.verdicts()["L5"].verdict == "broken"
    assert script.verdicts(settled=False)["L5"].verdict == "unknown"  # maybe placed after the log was looked at


def test_a_ledger_that_knows_nothing_of_a_capture_breaks_the_law_of_money() -> None:
    script = valid()
    del script.ledger["ord_sold"]
    assert script.verdicts()["L5"].verdict == "broken"
    assert script.verdicts(ledger=None)["L5"].verdict == "holds"  # no ledger was given: not checked


def test_operations_of_a_ledger_add_up_by_payment() -> None:
    operations: list[OperationRow] = [
        {"reference": "o1", "operation": "authorize", "amount": 7, "result": "done"},
        {"reference": "o2", "operation": "authorize", "amount": 9, "result": "declined"},
        {"reference": "o1", "operation": "capture", "amount": 7, "result": "done"},
        {"reference": "o3", "operation": "void", "amount": 0, "result": "done"},
        {"reference": "o1", "operation": "refund", "amount": 7, "result": "done"},
    ]
    assert list(by_payment(operations)) == [
        {"reference": "o1", "status": "refunded", "amount": 7, "captured": 7, "refunded": 7},
        {"reference": "o2", "status": "declined", "amount": 0, "captured": 0, "refunded": 0},
        {"reference": "o3", "status": "voided", "amount": 0, "captured": 0, "refunded": 0},
    ]


def test_an_order_cancelled_before_its_release_was_heard_holds_stock() -> None:
    script = valid()
    script.drop(script.find(events(ORDER), "StockReleased", "ord_poor"))
    verdict = script.verdicts()["L6"]
    assert verdict.verdict == "broken"
    assert verdict.first is not None and "ord_poor: cancelled at" in verdict.first
    assert "before it heard that SKU tea was given back" in verdict.first


def test_an_order_cancelled_before_its_void_was_heard_holds_an_authorization() -> None:
    script = valid()
    heard = script.find(events(ORDER), "PaymentVoided", "ord_silent")
    script.reframe(heard, events=[])
    verdict = script.verdicts()["L6"]
    assert verdict.first is not None and "its payment was given back" in verdict.first


def test_stock_that_is_held_for_a_cancelled_order_in_the_end_is_broken() -> None:
    script = valid()
    script.drop(script.find(events(INVENTORY), "StockReleased", "mug"))
    verdict = script.verdicts()["L6"]
    assert verdict.verdict == "broken"
    assert (
        verdict.first is not None and "ord_poor: cancelled, and holds SKU mug since inventory.events/" in verdict.first
    )


def test_stock_given_out_again_after_its_release_is_broken() -> None:
    script = valid()
    released = script.find(events(INVENTORY), "StockReleased", "tea")
    script.decide(again(script, released), StockReserved("tea", "ord_short", 1, 0))
    verdict = script.verdicts(settled=False)["L6"]
    assert verdict.broken == 2  # given out after it was given back, and held in the end
    assert verdict.first is not None and "after it was given back" in verdict.first


def test_an_authorization_after_its_void_is_broken() -> None:
    script = valid()
    voided = script.find(events(PAYMENT), "PaymentVoided")
    script.decide(again(script, voided), PaymentAuthorized(voided.key))
    assert script.verdicts()["L6"].verdict == "broken"


def test_a_cancelled_order_with_an_authorization_in_the_ledger_is_broken() -> None:
    script = valid()
    ledger(script, "ord_silent", status="authorized")
    verdict = script.verdicts(settled=False)["L6"]
    assert verdict.first == "order ord_silent: cancelled, and the provider's ledger still holds 1000"


def test_a_reservation_that_is_heard_after_the_customer_cancelled_is_within_the_law() -> None:
    script = Script()
    Story(script, "ord_regret").customer_cancels()
    assert script.verdicts()["L6"].verdict == "holds"
