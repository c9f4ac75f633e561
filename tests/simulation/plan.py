"""What a schedule is made of, drawn from its seed: how large the world is, and which kinds of trouble it knows.

Most schedules know only some kinds (swarm testing: a world with all troubles at once rarely gets far in any direction).
"""

from dataclasses import dataclass
from random import Random

KINDS = {
    "crash": "a process dies before or after a commit, or between two steps",
    "freeze": "a process sleeps past its lease in the middle of a commit, and wakes up",
    "cut": "the log cannot be reached, or nobody knows whether a commit happened",
    "rebalance": "a process leaves its group and comes back",
    "duplicate": "a command is delivered once more, now or much later",
    "redrive": "an operator sends dead letters again",
    "poison": "a message comes that nobody can read",
    "jump": "seconds or minutes pass at once",
    "back": "the clock is set back",
    "age": "time passes until what is finished is forgotten",
    "cancel": "a customer changes their mind",
    "twin": "a client sends the same request again, or another body under its key",
    "decline": "a card is refused",
    "lost": "the provider acts and its answer is lost, or it never hears of it",
    "late": "the provider acts when its caller has given up long ago",
    "outage": "the provider fails, again and again",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The same plan is the same schedule, to the last byte of the log."""

    seed: int
    kinds: frozenset[str] = frozenset(KINDS)
    steps: int = 120  # choices of the adversary before all heals
    orders: int = 3
    lines: int = 2  # at most, per order
    stock: int = 3  # pieces on each shelf
    members: int = 1  # processes per service
    skipped: frozenset[int] = frozenset()  # choices that are left out, to see whether they matter


def draw(seed: int, only: frozenset[str] = frozenset()) -> Plan:
    """`only`: these kinds of trouble, instead of some at random."""
    random = Random(f"plan {seed}")
    some = frozenset(kind for kind in KINDS if random.random() < 0.4)
    return Plan(
        seed,
        kinds=only or some,
        steps=random.choice((20, 30, 45, 70, 110)),
        orders=random.choice((1, 1, 2, 2, 3)),
        lines=random.choice((1, 1, 2, 3)),
        stock=random.choice((1, 2, 3, 9)),
        members=random.choice((1, 1, 2)),
    )
