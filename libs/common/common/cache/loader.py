"""Loads what a cache lacks: one load at a time for a key, and a load that was overtaken leaves nothing behind.

Two races are closed here. Many who miss the same key at once share one load (single flight). And a load that began before its
key was invalidated, or before a newer value was put, neither fills the cache nor answers those who came after: else the old
value would stay, or show up once more (the "leases" of Nishtala et al., "Scaling Memcache at Facebook", 2013, 3.2.1).
"""

import asyncio

from common.cache.lifetime import Lifetime
from common.cache.port import Cache, Entry, Load, Loaded
from common.clock import Clock, system_clock


class Loader:
    def __init__(self, cache: Cache, load: Load, lifetime: Lifetime, clock: Clock = system_clock) -> None:
        self.cache = cache
        self.lifetime = lifetime
        self.clock = clock
        self._load = load
        self._flights: dict[str, asyncio.Task[Entry]] = {}  # that whoever comes now may share
        self._underway: dict[str, set[object]] = {}  # loads that may still fill the cache

    async def load(self, key: str) -> Entry:
        """From the source, into the cache. Raises what the source raises, to all who share the load."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fly(key))
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)  # who leaves does not take it from the others

    async def alone(self, key: str) -> Entry:
        """The same without sharing: every caller loads for itself."""
        return await self._fly(key)

    def loading(self, key: str) -> bool:
        return key in self._flights

    async def put(self, key: str, found: Loaded, loaded: int | None = None) -> Entry:
        """What is known to be so now: from a write, or from a read that went around the cache."""
        self._overtake(key)
        entry = self.lifetime.entry(found, self.clock() if loaded is None else loaded)
        await self.cache.put(key, entry)
        return entry

    async def invalidate(self, key: str) -> None:
        self._overtake(key)
        await self.cache.delete(key)

    def _overtake(self, key: str) -> None:
        """What is being loaded may be older than what is known now."""
        self._flights.pop(key, None)
        self._underway.pop(key, None)

    async def _fly(self, key: str) -> Entry:
        loaded, me = self.clock(), object()
        self._underway.setdefault(key, set()).add(me)
        try:
            found = await self._load(key)
            entry = self.lifetime.entry(found, loaded, (self.clock() - loaded) / 1000)
            if me in self._underway.get(key, ()):
                del self._underway[key]  # the first one to land is as good as any that is still out
                await self.cache.put(key, entry)
            return entry
        finally:
            if me in (others := self._underway.get(key, set())):
                others.remove(me)
                if not others:
                    del self._underway[key]

    def _land(self, key: str, flight: "asyncio.Task[Entry]") -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # looked at: perhaps nobody waits for it any more
