"""Which trouble comes when, and for how long: a pure function of the seed.

Faults are dealt from a shuffled pack, as cards are, so that a short run meets each of them about equally often. Most rounds
deal one, so that what it does can be told; some deal several at once, and some none.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

HOW_MANY = {0: 1, 1: 6, 2: 2, 3: 1}  # faults in a round: how often
LONGEST_CALM = 4.0  # seconds before the next round, beyond what the last one needs


@dataclass(frozen=True, slots=True)
class Promise:
    """Within so many seconds after the fault the first of these succeeds; of a `request`: none fails at all."""

    seconds: float
    what: Literal["order", "read", "request"] = "order"

    def __str__(self) -> str:
        return "0 failed" if self.what == "request" else f"{self.what} {self.seconds:g}"


NONE_FAILS = Promise(0.0, "request")


@dataclass(frozen=True, slots=True)
class Fault:
    """`lasts`: seconds until whoever caused it ends it; 0 for what is done at once."""

    kind: str
    victim: str
    lasts: float = 0.0
    promise: Promise | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.victim}"


@dataclass(frozen=True, slots=True)
class Card:
    """A fault that may be dealt. `lasts` is drawn between its two ends; `calm` is the time that a recovery should be given
    before the next round. Of what hits the same `place` a round has at most one."""

    kind: str
    victim: str
    place: str
    lasts: tuple[float, float] = (0.0, 0.0)
    calm: float = 3.0
    promise: Promise | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that begin at the same moment, and the time until the next round begins."""

    faults: tuple[Fault, ...]
    seconds: float

    def __str__(self) -> str:
        return " + ".join(map(str, self.faults)) or "nothing"


def plan(seed: int, cards: Sequence[Card]) -> Iterator[Round]:
    """Never ends: whoever runs it stops when the time is over."""
    draw = random.Random(seed)
    pack: list[Card] = []
    while True:
        (size,) = draw.choices(list(HOW_MANY), list(HOW_MANY.values()))
        dealt: dict[str, Card] = {}
        for _ in range(size):
            pack = pack or draw.sample(cards, len(cards))
            card = next((it for it in pack if it.place not in dealt), None)
            if card is None:
                break  # all that is left hits a place that is hit already: it comes with the next round
            pack.remove(card)
            dealt[card.place] = card
        faults = tuple(
            Fault(card.kind, card.victim, round(draw.uniform(*card.lasts), 1), card.promise) for card in dealt.values()
        )
        calm = max((card.calm for card in dealt.values()), default=1.0) + draw.uniform(0, LONGEST_CALM)
        yield Round(faults, round(max((fault.lasts for fault in faults), default=0.0) + calm, 1))
