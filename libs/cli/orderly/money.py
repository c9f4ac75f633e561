"""Amounts for people: integer minor units on the wire, `19.99 EUR` on the screen."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from orderly.failure import Failure

# ISO 4217 currencies whose minor unit is not a hundredth
DIGITS = dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0)
DIGITS |= dict.fromkeys(("XAF", "XOF", "XPF"), 0)
DIGITS |= dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)


def shown(money: Mapping[str, Any]) -> str:
    digits = DIGITS.get(money["currency"], 2)
    return f"{Decimal(money['amount']).scaleb(-digits):,.{digits}f} {money['currency']}"


def parsed(text: str, currency: str) -> dict[str, Any]:
    """Raises Failure for what is no amount of this currency."""
    digits = DIGITS.get(currency, 2)
    try:
        amount = Decimal(text).scaleb(digits)
        if amount != amount.to_integral_value() or amount < 0:
            raise InvalidOperation
    except (InvalidOperation, ValueError):
        raise Failure(f"{text!r} is no price in {currency}", f"write it as {Decimal(1999).scaleb(-digits)}") from None
    return {"amount": int(amount), "currency": currency}
