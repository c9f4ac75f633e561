"""Reading several partitions with one limit: none keeps the others waiting."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from common.eventlog.port import Stored

P = TypeVar("P")


def in_turn(behind: Sequence[P], turn: int, limit: int, read: Callable[[P, int], Sequence[Stored]]) -> list[Stored]:
    """Each of the partitions that have news gets an equal share of `limit`, and what those before it left over.

    `turn` should grow with each call: another partition is the first one then, should there be more of them than `limit`.
    """
    found: list[Stored] = []
    first = turn % len(behind) if behind else 0
    for still, partition in zip(range(len(behind), 0, -1), [*behind[first:], *behind[:first]], strict=True):
        room = -(-(limit - len(found)) // still)
        if room <= 0:
            break
        found += read(partition, room)
    return found
