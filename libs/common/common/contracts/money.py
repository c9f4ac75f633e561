"""Money is an integer number of minor units of one currency; a float never touches it."""

from common.messages import message

LARGEST_AMOUNT = 10**12


@message
class Money:
    """`amount` in minor units (cents), `currency` an ISO 4217 code. Adding two currencies raises ValueError."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}: one order has one currency")
        return Money(self.amount + other.amount, self.currency)

    def times(self, quantity: int) -> "Money":
        return Money(self.amount * quantity, self.currency)
