"""The caches in Redis keep the laws of the port; a Redis that is killed or frozen takes no read with it."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from common.cache import Cache, Entry
from common.cache.fallback import FallbackCache
from common.cache.memory import MemoryCache
from common.cache.near import NearCache
from common.cache.redis import RedisCache
from common.cache.ring import Ring, RingCache
from common.errors import Unavailable
from common.resilience.absence import Absence
from common.testing.cache_contract import CacheContract, entry
from orderly.backing.private import RedisServer

pytestmark = pytest.mark.redis

_prefixes = (f"cache-{number}:" for number in itertools.count())


class TestRedisCache(CacheContract):
    @pytest.fixture
    async def cache(self, redis_url: str) -> AsyncIterator[Cache]:
        cache = RedisCache(redis_url, next(_prefixes))
        yield cache
        await cache.close()


class TestNearCache(CacheContract):
    @pytest.fixture
    async def cache(self, redis_url: str) -> AsyncIterator[Cache]:
        cache = near(redis_url, next(_prefixes))
        await listening(cache)
        yield cache
        await cache.close()


def near(url: str, prefix: str) -> NearCache:
    return NearCache(url, prefix, RedisCache(url, prefix), MemoryCache())


async def listening(cache: NearCache, wanted: bool = True) -> None:
    async with asyncio.timeout(10):
        while cache.listening is not wanted:
            with contextlib.suppress(Unavailable):
                await cache.get("")
            await asyncio.sleep(0.01)


async def value(cache: Cache, key: str = "a") -> bytes | None:
    found = await cache.get(key)
    return found.value if found else None


async def becomes(cache: Cache, wanted: bytes | None) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(Unavailable):
                if await value(cache) == wanted:
                    return
            await asyncio.sleep(0.005)


async def test_what_one_process_writes_another_no_longer_remembers_otherwise(redis_url: str) -> None:
    prefix = next(_prefixes)
    here, there = near(redis_url, prefix), near(redis_url, prefix)
    try:
        await listening(here)
        await listening(there)
        for version in range(1, 20):
            await there.put("a", entry(b"%d" % version, version))
            await becomes(here, b"%d" % version)
        await there.delete("a")
        await becomes(here, None)
    finally:
        await here.close()
        await there.close()


async def test_what_is_near_is_not_asked_of_redis(redis_url: str) -> None:
    class Counting(RedisCache):
        asked = 0

        async def get(self, key: str) -> Entry | None:
            self.asked += 1
            return await super().get(key)

    prefix = next(_prefixes)
    far = Counting(redis_url, prefix)
    cache = NearCache(redis_url, prefix, far, MemoryCache())
    try:
        await listening(cache)
        await cache.put("a", entry(b"1", 1))
        await asyncio.sleep(0.1)  # its own announcement
        before = far.asked
        assert [await value(cache) for _ in range(10)] == [b"1"] * 10
        assert far.asked == before + 1
    finally:
        await cache.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer.start(tmp_path)
    yield started
    started.close()


async def test_near_memory_is_forgotten_when_redis_is_lost_and_used_again_when_it_is_back(server: RedisServer) -> None:
    cache = near(server.url, "p:")
    try:
        await listening(cache)
        await cache.put("a", entry(b"1", 1))
        await becomes(cache, b"1")
        await asyncio.to_thread(server.kill)
        await listening(cache, wanted=False)
        with pytest.raises(Unavailable):
            await cache.get("a")
        await asyncio.to_thread(server.restart)
        await listening(cache)
        assert await value(cache) is None
        await cache.put("a", entry(b"2", 2))
        await becomes(cache, b"2")
    finally:
        await cache.close()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_reads_go_on_while_redis_is_away_and_it_is_used_again_afterwards(server: RedisServer, how: str) -> None:
    shared = RedisCache(server.url, "p:")
    cache = FallbackCache(shared, MemoryCache(), Absence("redis", 0.3, time.monotonic))
    try:
        await cache.put("a", entry(b"1", 1))
        await (asyncio.to_thread(server.kill) if how == "killed" else asyncio.to_thread(server.freeze))
        for version in range(2, 50):
            await cache.put("a", entry(b"%d" % version, version))
            assert await value(cache) == b"%d" % version
        await (asyncio.to_thread(server.restart) if how == "killed" else asyncio.to_thread(server.thaw))
        again = asyncio.create_task(becomes(shared, b"back"))
        while not again.done():
            await cache.put("a", entry(b"back", 100))
            await asyncio.sleep(0.05)
        await again
    finally:
        await cache.close()


async def test_a_killed_node_of_the_ring_takes_only_its_own_keys_with_it(redis_url: str, server: RedisServer) -> None:
    prefix = next(_prefixes)
    urls = {"kept": redis_url, "lost": server.url}
    ring = RingCache(
        {name: RedisCache(url, prefix) for name, url in urls.items()},
        {name: Absence(name, 5, time.monotonic) for name in urls},
    )
    keys = [f"key-{number}" for number in range(200)]
    owners = {key: Ring(list(urls)).order(key)[0] for key in keys}
    try:
        for key in keys:
            await ring.put(key, entry(b"1", 1))
        await asyncio.to_thread(server.kill)
        found = {key for key in keys if await value(ring, key) is not None}
        assert found == {key for key in keys if owners[key] == "kept"}
        for key in keys:
            await ring.put(key, entry(b"2", 2))
        assert {await value(ring, key) for key in keys} == {b"2"}
    finally:
        await ring.close()
