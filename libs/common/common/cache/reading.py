"""Three ways to read through a cache. Each counts what it did, and how old what it answered was.

    CacheAside     look; on a miss load, and put it there: the simplest, and everybody who misses loads
    ReadThrough    the cache loads what it lacks, once for all who wait; at times early, so that nobody waits at all
    RefreshAhead   what is used is loaded again in the background before it ends: never late, and some loads are for nothing

When the source is Unavailable, an entry that is no longer fresh but not gone stands in: the answer is stale, not an error.
"""

import asyncio
from abc import ABC, abstractmethod

from common.cache.loader import Loader
from common.cache.port import Entry
from common.errors import Unavailable
from common.telemetry.metrics import CACHE_AGE, CACHE_READS


class Reading(ABC):
    def __init__(self, name: str, loader: Loader) -> None:
        self.loader = loader
        self._outcomes = {it: CACHE_READS.labels(name, it) for it in ("hit", "miss", "early", "stale")}
        self._age = CACHE_AGE.labels(name)

    async def get(self, key: str) -> Entry:
        """Raises what the source raises when there is nothing that could stand in."""
        entry = await self.loader.cache.get(key)
        now = self.loader.clock()
        if entry is not None and self._good(entry, now):
            return self._answered("hit", entry, now)
        fresh = entry is not None and now < entry.fresh_until
        try:
            return self._answered("early" if fresh else "miss", await self._load(key), now)
        except Unavailable:
            if entry is None:
                raise
            return self._answered("stale", entry, now)

    @abstractmethod
    async def _load(self, key: str) -> Entry: ...

    def _good(self, entry: Entry, now: int) -> bool:
        return now < entry.fresh_until

    def _answered(self, outcome: str, entry: Entry, now: int) -> Entry:
        self._outcomes[outcome].inc()
        self._age.observe(max(0, now - entry.loaded) / 1000)
        return entry


class CacheAside(Reading):
    async def _load(self, key: str) -> Entry:
        return await self.loader.alone(key)


class ReadThrough(Reading):
    async def _load(self, key: str) -> Entry:
        return await self.loader.load(key)

    def _good(self, entry: Entry, now: int) -> bool:
        return self.loader.lifetime.good(entry, now)


class RefreshAhead(Reading):
    AHEAD = 0.5  # the share of its life after which an entry that is used is loaded again

    async def _load(self, key: str) -> Entry:
        return await self.loader.load(key)

    async def get(self, key: str) -> Entry:
        entry = await super().get(key)
        due = entry.loaded + (entry.fresh_until - entry.loaded) * self.AHEAD
        if self.loader.clock() >= due and not self.loader.loading(key):
            refresh = asyncio.create_task(self.loader.load(key))
            refresh.add_done_callback(lambda done: done.cancelled() or done.exception())  # then it ends, and is missed
        return entry


STRATEGIES: dict[str, type[Reading]] = {
    "cache-aside": CacheAside,
    "read-through": ReadThrough,
    "refresh-ahead": RefreshAhead,
}
