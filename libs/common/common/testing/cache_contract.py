"""The laws of a cache, as a test suite that every store passes.

class TestMyCache(CacheContract):
    @pytest.fixture
    async def cache(self) -> AsyncIterator[Cache]: ...
"""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from common.cache import Cache, Entry
from common.clock import system_clock


def entry(value: bytes | None, version: int = 0, lasts: int = 60_000) -> Entry:
    now = system_clock()
    return Entry(value, version, now, now + lasts, now + lasts)


def _none() -> Cache:
    raise NotImplementedError("give the cache under test")


class CacheContract:
    """All laws. Subclasses give an empty `cache`."""

    @pytest.fixture
    async def cache(self) -> AsyncIterator[Cache]:
        yield _none()

    async def test_what_was_put_is_got_until_it_is_deleted(self, cache: Cache) -> None:
        assert await cache.get("a") is None
        put = Entry(b"\x00\xff tea", 7, 1, system_clock() + 60_000, system_clock() + 70_000, 0.25)
        await cache.put("a", put)
        assert await cache.get("a") == put
        assert await cache.get("b") is None
        await cache.delete("a")
        assert await cache.get("a") is None

    async def test_that_there_is_none_can_be_known(self, cache: Cache) -> None:
        await cache.put("a", entry(None))
        found = await cache.get("a")
        assert found is not None
        assert found.value is None

    async def test_an_entry_that_is_gone_is_not_got(self, cache: Cache) -> None:
        await cache.put("a", entry(b"1", lasts=-1))
        assert await cache.get("a") is None
        await cache.put("b", entry(b"1", lasts=40))
        await asyncio.sleep(0.1)
        assert await cache.get("b") is None

    async def test_an_older_version_never_takes_the_place_of_a_newer_one(self, cache: Cache) -> None:
        await cache.put("a", entry(b"five", 5))
        await cache.put("a", entry(b"four", 4))
        await cache.put("a", entry(None))
        assert (await cache.get("a") or entry(None)).value == b"five"
        await cache.put("a", entry(b"five, later", 5))
        assert (await cache.get("a") or entry(None)).value == b"five, later"
        await cache.put("a", entry(b"ten", 10))
        assert (await cache.get("a") or entry(None)).value == b"ten"

    async def test_a_newer_version_takes_the_place_of_there_being_none(self, cache: Cache) -> None:
        await cache.put("a", entry(None))
        await cache.put("a", entry(b"one", 1))
        assert (await cache.get("a") or entry(None)).value == b"one"

    async def test_a_reader_among_writers_never_sees_an_older_version(self, cache: Cache) -> None:
        async def write() -> None:
            versions = list(range(1, 40))
            random.shuffle(versions)
            for version in versions:
                await cache.put("a", entry(b"%d" % version, version))
                await asyncio.sleep(random.uniform(0, 0.002))

        writing = asyncio.gather(*(write() for _ in range(4)))
        seen = 0
        while not writing.done():
            found = await cache.get("a")
            assert found is None or found.version >= seen
            seen = found.version if found else seen
            await asyncio.sleep(0)
        assert (await cache.get("a") or entry(None)).version == 39
