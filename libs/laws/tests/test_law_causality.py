"""L13: nothing happens to an order before what has to come first."""

import msgspec
import pytest

from common.codec import EventFrame, HistoryFrame, Sent, decode_history
from common.eventlog import Stored
from common.topology import INVENTORY, ORDER, PAYMENT, commands, events
from laws.testing import Script, valid


def frame_of(record: Stored) -> HistoryFrame:
    return decode_history(record.value or b"")


def said(script: Script) -> str:
    verdict = script.verdicts()["L13"]
    assert verdict.verdict == "broken"
    return verdict.first or ""


def test_an_authorization_before_every_line_is_reserved_is_broken() -> None:
    script = valid()
    placed = script.find(events(ORDER), "OrderPlaced")
    script.reframe(placed, sent=[*frame_of(placed).sent, Sent("AuthorizePayment", commands(PAYMENT), "ord_sold")])
    assert said(script).endswith(", mug, tea not reserved")


def test_a_reservation_that_was_never_heard_counts_as_none() -> None:
    script = valid()
    script.reframe(script.find(events(ORDER), "StockReserved"), events=[])
    assert "ord_sold: asked for an authorization" in said(script)
    assert said(script).endswith(", tea not reserved")


def test_a_confirmation_before_the_authorization_is_broken() -> None:
    script = valid()
    confirmed = script.find(events(ORDER), "OrderConfirmed")
    script.reframe(confirmed, events=[event for event in frame_of(confirmed).events if event.type == "OrderConfirmed"])
    assert said(script).endswith(", not authorized")


@pytest.mark.parametrize(
    "sent", [Sent("CapturePayment", commands(PAYMENT), "ord_poor"), Sent("ShipStock", commands(INVENTORY), "tea")]
)
def test_taking_money_or_goods_before_the_confirmation_is_broken(sent: Sent) -> None:
    script = valid()
    cancelled = script.find(events(ORDER), "OrderCancelled", "ord_poor")
    script.reframe(cancelled, sent=[sent])
    assert f"order ord_poor: sent {sent.type} at" in said(script)


def test_a_capture_in_the_very_record_of_the_confirmation_is_within_the_law() -> None:
    script = valid()
    confirmed = frame_of(script.find(events(ORDER), "OrderConfirmed"))
    assert "CapturePayment" in [sent.type for sent in confirmed.sent]
    assert script.verdicts()["L13"].verdict == "holds"


@pytest.mark.parametrize(
    ("event", "command"), [("AuthorizationRequested", "AuthorizePayment"), ("CaptureRequested", "CapturePayment")]
)
def test_a_payment_that_acts_without_having_been_asked_is_broken(event: str, command: str) -> None:
    script = valid()
    acted = script.find(events(PAYMENT), event)
    script.reframe(acted, cause=msgspec.structs.replace(frame_of(acted).cause, type="VoidPayment"))
    assert said(script).endswith(f"without {command}")


def test_a_capture_that_payment_requests_on_its_own_is_broken() -> None:
    script = valid()
    authorized = script.find(events(PAYMENT), "PaymentAuthorized")
    capture = EventFrame("CaptureRequested", 1, msgspec.Raw(b'{"order_id": "ord_sold"}'))
    script.reframe(authorized, events=[*frame_of(authorized).events, capture])
    assert said(script).endswith("without CapturePayment")
