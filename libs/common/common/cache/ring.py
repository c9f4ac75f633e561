"""Several caches as one, by consistent hashing: when one goes away its keys move to others, and no other key moves.

(Karger et al., "Consistent Hashing and Random Trees", 1997.) Each node is at many points of the ring, so that the keys of a
lost one spread over all that are left.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from common.cache.port import Cache, Entry
from common.errors import Unavailable
from common.resilience.absence import Absence

T = TypeVar("T")

POINTS = 160  # of each node: shares of the keys then differ by some 10 %
TRIES = 2


class Ring:
    def __init__(self, nodes: Sequence[str], points: int = POINTS) -> None:
        placed = sorted((_hash(f"{node}#{number}"), node) for node in nodes for number in range(points))
        self._places = [place for place, _ in placed]
        self._nodes = [node for _, node in placed]
        self._count = len(set(nodes))

    def order(self, key: str) -> list[str]:
        """All nodes, each once: the first has the key, the next ones when those before are away."""
        start = bisect_right(self._places, _hash(key))
        clockwise = self._nodes[start:] + self._nodes[:start]
        return list(islice(dict.fromkeys(clockwise), self._count))


class RingCache:
    """`absences`: one for each node, that lasts longer than what it holds stays fresh: a node that comes back has nothing to
    say of the past. Raises Unavailable when neither a key's node nor the next one answers."""

    def __init__(self, caches: Mapping[str, Cache], absences: Mapping[str, Absence]) -> None:
        self._caches = caches
        self._absences = absences
        self._ring = Ring(list(caches))

    async def get(self, key: str) -> Entry | None:
        return await self._ask(key, lambda cache: cache.get(key))

    async def put(self, key: str, entry: Entry) -> None:
        await self._ask(key, lambda cache: cache.put(key, entry))

    async def delete(self, key: str) -> None:
        await self._ask(key, lambda cache: cache.delete(key))

    async def clear(self) -> None:
        for cache in self._caches.values():
            await cache.clear()

    async def close(self) -> None:
        for cache in self._caches.values():
            await cache.close()

    async def _ask(self, key: str, question: Callable[[Cache], Awaitable[T]]) -> T:
        present = (node for node in self._ring.order(key) if self._absences[node].ask())
        for node in islice(present, TRIES):
            try:
                answer = await question(self._caches[node])
            except Unavailable:
                self._absences[node].begin()
            else:
                self._absences[node].end()
                return answer
        raise Unavailable("no cache of the ring answers; go on without")


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
