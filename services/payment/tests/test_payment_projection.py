"""Payments as customers see them: a pure fold that never reads card data."""

import pytest

from common.codec import decode_history
from common.contracts.money import Money
from common.contracts.payment import (
    AuthorizationRequested,
    CaptureRequested,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundRequested,
    VoidRequested,
)
from common.messages import Message
from common.projector import Changes
from common.testing.histories import History
from payment.projection import PaymentProjection, PaymentView, read_view
from payment.queries import shown

ID = "ord_" + "0" * 32
EURO = Money(1999, "EUR")
ASKED = AuthorizationRequested(ID, EURO, "tok_secret", 0, "order.commands", "alice")


def after(*events: Message) -> PaymentView:
    history, changes = History("payment", ID), Changes()
    for event in events:
        record = history.record(event)
        PaymentProjection().fold(changes, record, decode_history(record.value or b""))
    assert b"tok_secret" not in changes.documents[ID].body
    return read_view(changes.documents[ID].body)


@pytest.mark.parametrize(
    ("events", "status", "captured", "refunded"),
    [
        ([PaymentAuthorized(ID)], "authorized", 0, 0),
        ([PaymentDeclined(ID, "no")], "declined", 0, 0),
        ([PaymentAuthorized(ID), CaptureRequested(ID), PaymentCaptured(ID, EURO)], "captured", 1999, 0),
        ([VoidRequested(ID, 0, ""), PaymentVoided(ID)], "voided", 0, 0),
        ([PaymentCaptured(ID, EURO), RefundRequested(ID), PaymentRefunded(ID, EURO)], "refunded", 1999, 1999),
    ],
)
def test_a_payment_is_shown_as_it_stands(events: list[Message], status: str, captured: int, refunded: int) -> None:
    found = shown(after(ASKED, *events))
    sums = (amount_of(found["captured"]), amount_of(found["refunded"]))
    assert (found["status"], *sums) == (status, captured, refunded)


def amount_of(money: Money | dict[str, object]) -> object:
    return money.amount if isinstance(money, Money) else money["amount"]


def test_nothing_is_shown_of_a_payment_that_nothing_is_known_of() -> None:
    assert after(ASKED).status == ""


def test_a_barrier_against_a_payment_that_never_was_is_no_payment() -> None:
    assert after(VoidRequested(ID, 0, ""), PaymentVoided(ID)).amount is None
