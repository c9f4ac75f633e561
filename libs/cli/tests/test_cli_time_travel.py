"""Any moment of an order's past, from the log alone."""

import json
from typing import Any

import pytest
from msgspec import Raw

from common.codec import Cause, EventFrame, HistoryFrame, Sent
from orderly import time_travel
from orderly.failure import Failure

PLACED = 1_767_225_600_000  # 2026-01-01T00:00:00Z
CAUSE = Cause("command", "PlaceOrder", "o-0-0", "alice", PLACED)


def frame(version: int, *events: tuple[str, dict[str, Any]]) -> HistoryFrame:
    return HistoryFrame(CAUSE, version, [EventFrame(name, 1, Raw(json.dumps(data).encode())) for name, data in events])


HISTORY = [
    (
        PLACED,
        frame(
            1, ("OrderPlaced", {"total": {"amount": 10, "currency": "EUR"}, "lines": [{"sku": "mug", "quantity": 2}]})
        ),
    ),
    (PLACED + 10, frame(2, ("StockReserved", {"sku": "mug"}))),
    (PLACED + 15, frame(2)),  # a duplicate changed nothing
    (PLACED + 20, frame(3, ("PaymentDeclined", {"reason": "no money"}))),
    (PLACED + 30, frame(5, ("StockReleased", {"sku": "mug"}), ("OrderCancelled", {"reason": "no money"}))),
]


def test_an_order_does_not_exist_before_it_was_placed() -> None:
    assert time_travel.fold("o", HISTORY, PLACED - 1).version == 0


def test_a_moment_knows_what_was_decided_up_to_it_and_nothing_after() -> None:
    moment = time_travel.fold("o", HISTORY, PLACED + 20)
    assert (moment.status, moment.version, moment.payment) == ("pending", 3, "declined")
    assert moment.lines["mug"].stock == "held"
    assert [name for _, name in moment.history] == ["OrderPlaced", "StockReserved", "PaymentDeclined"]


def test_what_was_asked_and_not_yet_answered_shows() -> None:
    asked = (PLACED + 12, HistoryFrame(CAUSE, 2, [], [Sent("AuthorizePayment", "payment.commands", "o")]))
    moment = time_travel.fold("o", [*HISTORY[:2], asked], PLACED + 12)
    assert moment.payment == "asked for"


def test_now_is_the_whole_history() -> None:
    moment = time_travel.fold("o", HISTORY, time_travel.parse_time("now", PLACED))
    assert (moment.status, moment.reason, moment.version) == ("cancelled", "no money", 5)
    assert moment.lines["mug"].stock == "released"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("+20", 20),
        ("+20ms", 20),
        ("+1.5s", 1500),
        ("+2m", 120_000),
        ("2026-01-01T00:00:00.250Z", 250),
        ("2026-01-01T01:00:00.250+01:00", 250),
        ("2026-01-01T00:00:01", 1000),
    ],
)
def test_times_are_absolute_or_count_from_the_start(text: str, after: int) -> None:
    assert time_travel.parse_time(text, PLACED) == PLACED + after


@pytest.mark.parametrize("text", ["yesterday", "-5ms", "+", "+5 parsecs", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="is no time"):
        time_travel.parse_time(text, PLACED)
