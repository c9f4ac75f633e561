"""The caches in memory, shared, and spread over a ring keep the laws of the port, also while one of them is away."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cache import Cache
from common.cache.fallback import FallbackCache
from common.cache.memory import MemoryCache
from common.cache.ring import Ring, RingCache
from common.errors import Unavailable
from common.resilience.absence import Absence
from common.testing.cache_contract import CacheContract, entry
from common.testing.cached import Broken, Time


class TestMemoryCache(CacheContract):
    @pytest.fixture
    async def cache(self) -> AsyncIterator[Cache]:
        yield MemoryCache()


class TestRingCache(CacheContract):
    @pytest.fixture
    async def cache(self) -> AsyncIterator[Cache]:
        names = ("one", "two", "three")
        yield RingCache({it: MemoryCache() for it in names}, {it: Absence(it, 1, Time().seconds) for it in names})


class TestFallbackCache(CacheContract):
    @pytest.fixture
    async def cache(self) -> AsyncIterator[Cache]:
        yield FallbackCache(MemoryCache(), MemoryCache(), Absence("shared", 1, Time().seconds))


class TestFallbackCacheWithoutItsSharedOne(CacheContract):
    @pytest.fixture
    async def cache(self) -> AsyncIterator[Cache]:
        shared = Broken()
        shared.away = True
        yield FallbackCache(shared, MemoryCache(), Absence("shared", 1, Time().seconds))


async def test_of_too_many_entries_those_used_least_recently_have_to_go() -> None:
    cache = MemoryCache(most=3)
    for key in "abc":
        await cache.put(key, entry(b""))
    await cache.get("a")
    await cache.put("d", entry(b""))
    assert [key for key in "abcd" if await cache.get(key)] == ["a", "c", "d"]


async def test_while_the_shared_cache_is_away_reads_go_on_and_never_back_not_even_when_it_returns() -> None:
    time, shared = Time(), Broken()
    cache = FallbackCache(shared, MemoryCache(), Absence("shared", 2, time.seconds))

    async def seen() -> bytes | None:
        return (await cache.get("a") or entry(b"nothing")).value

    await cache.put("a", entry(b"one", 1))
    shared.away = True
    assert await seen() == b"one"
    await cache.put("a", entry(b"two", 2))
    shared.away = False
    assert await seen() == b"two"
    time.now += 3
    assert await seen() == b"two"  # the shared one is back, and has the first one still
    await shared.put("a", entry(b"three", 3))
    assert await seen() == b"three"


async def test_what_the_shared_cache_has_no_more_is_known_and_not_fresh() -> None:
    shared = Broken()
    cache = FallbackCache(shared, MemoryCache(), Absence("shared", 2, Time().seconds))
    await cache.put("a", entry(b"one", 1))
    await shared.delete("a")
    found = await cache.get("a")
    assert found is not None
    assert (found.value, found.fresh_until <= found.loaded) == (b"one", True)


def test_one_at_a_time_looks_whether_it_is_back() -> None:
    time = Time()
    absence = Absence("it", 1, time.seconds)
    assert [absence.ask(), absence.ask()] == [True, True]
    absence.begin()
    assert not absence.ask()
    time.now += 1
    assert [absence.ask(), absence.ask()] == [True, False]
    absence.end()
    assert absence.ask()


KEYS = [f"key-{number}" for number in range(3_000)]


@given(st.integers(2, 8), st.integers(0, 7))
def test_a_lost_node_moves_its_own_keys_and_no_others(count: int, lost: int) -> None:
    nodes = [f"node-{number}" for number in range(count)]
    gone = nodes[lost % count]
    before, after = Ring(nodes), Ring([node for node in nodes if node != gone])
    for key in KEYS[:300]:
        first, second, *_ = before.order(key)
        assert after.order(key)[0] == (second if first == gone else first)


def test_the_keys_are_spread_over_the_nodes() -> None:
    owners = Counter(Ring([f"node-{number}" for number in range(5)]).order(key)[0] for key in KEYS)
    assert max(owners.values()) < 1.35 * len(KEYS) / 5
    assert min(owners.values()) > 0.65 * len(KEYS) / 5


async def test_when_a_node_of_the_ring_is_away_the_next_one_has_its_keys() -> None:
    time = Time()
    nodes = {name: Broken() for name in ("one", "two", "three")}
    ring = RingCache(nodes, {name: Absence(name, 1, time.seconds) for name in nodes})
    owner, heir, _ = Ring(list(nodes)).order("a")
    nodes[owner].away = True
    await ring.put("a", entry(b"1", 1))
    assert (await ring.get("a") or entry(None)).value == b"1"
    assert (len(nodes[owner]), len(nodes[heir])) == (0, 1)
    for node in nodes.values():
        node.away = True
    time.now += 5
    with pytest.raises(Unavailable):
        await ring.get("a")
