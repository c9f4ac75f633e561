"""How a timeline reads: times from the start, steps where they change, failures impossible to overlook."""

from typing import Any

from rich.text import Text

from orderly.timeline import Timeline


def entry(
    at: str, type: str, kind: str = "event", step: str | None = "reserve", service: str = "order"
) -> dict[str, Any]:
    return {"at": f"2026-01-31T12:00:{at}Z", "type": type, "kind": kind, "step": step, "service": service}


def test_times_count_from_the_first_entry() -> None:
    timeline = Timeline()
    timeline.line(entry("00.100", "PlaceOrder"))
    assert "+1025 ms" in timeline.line(entry("01.125", "OrderPlaced"))


def test_an_earlier_entry_that_comes_later_does_not_go_below_zero() -> None:
    timeline = Timeline()
    timeline.line(entry("00.100", "PlaceOrder"))
    assert "+0 ms" in timeline.line(entry("00.099", "StockReserved"))


def test_the_step_is_named_where_it_changes() -> None:
    timeline = Timeline()
    lines = [timeline.line(entry("00.000", "ReserveStock", step=step)) for step in ("reserve", "reserve", "capture")]
    assert [step in line for step, line in zip(("reserve", "reserve", "capture"), lines, strict=True)] == [
        True,
        False,
        True,
    ]


def test_failures_are_bold_red_and_a_confirmation_is_bold_green() -> None:
    timeline = Timeline()
    assert "[bold red]PaymentDeclined" in timeline.line(entry("00.000", "PaymentDeclined"))
    assert "[bold green]OrderConfirmed" in timeline.line(entry("00.000", "OrderConfirmed"))


def test_types_and_kinds_that_it_does_not_know_are_shown_all_the_same() -> None:
    shown = Text.from_markup(Timeline().line(entry("00.000", "Brand[new]", kind="future", step=None))).plain
    assert "Brand[new]" in shown
