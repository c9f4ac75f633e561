"""Amounts on the screen and in options: nothing is rounded, nothing is guessed."""

import pytest

from orderly import money
from orderly.failure import Failure


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1999, "EUR", "19.99 EUR"),
        (0, "USD", "0.00 USD"),
        (123456789, "EUR", "1,234,567.89 EUR"),
        (500, "JPY", "500 JPY"),
    ],
)
def test_minor_units_are_shown_as_people_write_them(amount: int, currency: str, shown: str) -> None:
    assert money.shown({"amount": amount, "currency": currency}) == shown


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [("19.99", "EUR", 1999), ("20", "EUR", 2000), ("500", "JPY", 500), ("1.5", "KWD", 1500)],
)
def test_a_price_tag_is_read_exactly(text: str, currency: str, amount: int) -> None:
    assert money.parsed(text, currency) == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    ("text", "currency"), [("19.999", "EUR"), ("1.5", "JPY"), ("-1", "EUR"), ("cheap", "EUR"), ("NaN", "EUR")]
)
def test_what_is_no_price_is_refused_with_an_example(text: str, currency: str) -> None:
    with pytest.raises(Failure) as refused:
        money.parsed(text, currency)
    assert refused.value.advice.startswith("write it as")
