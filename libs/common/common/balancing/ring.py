"""Consistent hashing with bounded loads: a key keeps its endpoint, and no endpoint gets much more than its share.

Keys and endpoints are points on a ring; a key belongs to the next endpoint (Karger et al., 1997), or, when that one has its
fill, to the next that has not (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2018). An endpoint
that comes or goes moves only its own keys.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

from common.balancing.candidate import Ask, Candidate

POINTS = 100  # for an endpoint of weight 1: shares differ by some 10 %
FILL = 1.25  # of the average load


def consistent_hash(candidates: Sequence[Candidate], ask: Ask) -> Candidate:
    """The first on the ring after the key whose load, with this request, is within its bound; there always is one."""
    requests = 1 + sum(candidate.in_flight for candidate in candidates)
    weights = sum(candidate.endpoint.weight for candidate in candidates)
    nodes = tuple((candidate.endpoint.address, candidate.endpoint.weight) for candidate in candidates)
    for index in owners(nodes, ask.key):
        candidate = candidates[index]
        if candidate.in_flight < bound(requests, candidate.endpoint.weight / weights):
            return candidate
    raise AssertionError("the bounds of all endpoints add up to more than all requests")


def bound(requests: int, share: float) -> int:
    """Requests in work that an endpoint with this share may have, when there are so many in all."""
    return math.ceil(FILL * requests * share)


def owners(nodes: tuple[tuple[str, float], ...], key: str) -> Iterator[int]:
    """Indexes of `nodes` (name, weight), in the order in which they would serve the key."""
    points, indexes = _ring(nodes)
    start = bisect_left(points, _point(key))
    seen: set[int] = set()
    for step in range(len(points)):
        index = indexes[(start + step) % len(points)]
        if index not in seen:
            seen.add(index)
            yield index


@lru_cache(maxsize=64)
def _ring(nodes: tuple[tuple[str, float], ...]) -> tuple[Sequence[int], Sequence[int]]:
    points = sorted(
        (_point(f"{name}#{number}"), index)
        for index, (name, weight) in enumerate(nodes)
        for number in range(max(1, round(POINTS * weight)))
    )
    return [point for point, _ in points], [index for _, index in points]


def _point(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
