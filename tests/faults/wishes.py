"""What the customers want: a seeded mix of cards, lines, changes of mind and impatient twins."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SHELVES = tuple(f"fault-{number}" for number in range(10))
SCARCE = "fault-scarce"  # runs out
CARDS = {"tok_ok": 62, "tok_declined": 10, "tok_lost": 8, "tok_error": 8, "tok_slow": 3, "tok_refund_fails": 9}
CUSTOMERS = tuple(f"customer-faults-{number}" for number in range(10))


@dataclass(frozen=True, slots=True)
class Wish:
    """`wait`: seconds in which the outcome is waited for in the request; `twin`: the same request is sent twice at once;
    `cancel_after`: seconds until the customer changes their mind, None: never; `looks`: at the product, meanwhile."""

    customer: str
    key: str
    lines: tuple[tuple[str, int], ...]
    card: str
    wait: int = 0
    twin: bool = False
    cancel_after: float | None = None
    looks: bool = False

    @property
    def body(self) -> dict[str, Any]:
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in self.lines]
        return {"lines": lines, "payment_token": self.card}


def wishes(seed: int) -> Iterator[Wish]:
    """Never ends; the same seed wants the same."""
    draw = random.Random(f"wishes {seed}")
    number = 0
    while True:
        number += 1
        (card,) = draw.choices(list(CARDS), list(CARDS.values()))
        skus = draw.sample(SHELVES, draw.choice((1, 1, 1, 2, 3))) + [SCARCE] * (draw.random() < 0.03)
        changes_mind = draw.random() < (0.5 if card == "tok_refund_fails" else 0.05)
        yield Wish(
            customer=draw.choice(CUSTOMERS),
            key=f"{seed}-{number}-{draw.getrandbits(32):08x}",
            lines=tuple((sku, draw.randint(1, 3)) for sku in skus),
            card=card,
            wait=draw.choice((0, 0, 0, 5)),
            twin=draw.random() < 0.05,
            cancel_after=round(draw.uniform(0, 0.5), 3) if changes_mind else None,
            looks=number % 5 == 0,
        )
