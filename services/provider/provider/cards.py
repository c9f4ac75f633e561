"""The demo cards: each token is one way in which a payment provider behaves in real life."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from common.contracts.payment import Operation

Pace = Literal["at once", "hesitant", "slow"]


@dataclass(frozen=True, slots=True)
class Card:
    """`fails`: so many attempts of an operation get a 500 before one succeeds. `loses_answers`: each operation is done,
    and then the connection is cut before the first answer."""

    refused_because: str = ""
    authorizes: Pace = "at once"
    fails: Mapping[Operation, int] = field(default_factory=dict[Operation, int])
    loses_answers: bool = False


CARDS: Mapping[str, Card] = {
    "tok_ok": Card(),
    "tok_declined": Card(refused_because="insufficient funds"),
    "tok_slow": Card(authorizes="slow"),
    "tok_lost": Card(loses_answers=True),
    "tok_error": Card(fails={"authorize": 2, "capture": 2, "void": 2, "refund": 2}),
    "tok_refund_fails": Card(authorizes="hesitant", fails={"void": 2, "refund": 2}),
}

UNKNOWN = Card(refused_because="unknown card")


def of(token: str) -> Card:
    return CARDS.get(token, UNKNOWN)
