"""The caches in memory keep the laws of the port; the strategies do what their names say, whatever overtakes what."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cache import Cache, Entry, Loaded
from common.cache.fallback import FallbackCache
from common.cache.lifetime import Lifetime
from common.cache.loader import Loader
from common.cache.memory import MemoryCache
from common.cache.reading import STRATEGIES, CacheAside, Reading, ReadThrough, RefreshAhead
from common.cache.ring import Ring, RingCache
from common.cache.writing import WriteAround, WriteBehind, WriteThrough
from common.errors import Unavailable
from common.resilience.absence import Absence
from common.testing.cache_contract import CacheContract, entry


class Time:
    """In seconds, and as a clock in milliseconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def seconds(self) -> float:
        return self.now

    def __call__(self) -> int:
        return round(self.now * 1000)


class Broken(MemoryCache):
    """A shared cache that can be away."""

    away = False

    async def get(self, key: str) -> Entry | None:
        self._check()
        return await super().get(key)

    async def put(self, key: str, entry: Entry) -> None:
        self._check()
        await super().put(key, entry)

    async def delete(self, key: str) -> None:
        self._check()
        await super().delete(key)

    def _check(self) -> None:
        if self.away:
            raise Unavailable("away")


class Source:
    """Where the truth is. `held` loads wait for the test, after they have looked."""

    def __init__(self) -> None:
        self.versions: Counter[str] = Counter()
        self.loads = 0
        self.away = False
        self.held: list[asyncio.Event] | None = None

    async def load(self, key: str) -> Loaded:
        self.loads += 1
        if self.away:
            raise Unavailable("the source is away")
        found = self.now(key)
        if self.held is not None:
            gate = asyncio.Event()
            self.held.append(gate)
            await gate.wait()
        await asyncio.sleep(0)
        return found

    def now(self, key: str) -> Loaded:
        version = self.versions[key]
        return Loaded(b"%d" % version, version) if version else Loaded(None)

    async def write(self, key: str) -> Loaded:
        self.versions[key] += 1
        return self.now(key)

    async def held_loads(self, count: int) -> list[asyncio.Event]:
        for _ in range(100):
            await asyncio.sleep(0)
        assert self.held is not None
        assert len(self.held) == count
        return self.held


LIFE = Lifetime(fresh=1_000, negative=500, grace=5_000, jitter=0.0, beta=0.0)


class World:
    def __init__(self, strategy: type[Reading] = ReadThrough, lifetime: Lifetime = LIFE) -> None:
        self.time = Time()
        self.source = Source()
        self.cache = MemoryCache(clock=self.time)
        self.loader = Loader(self.cache, self.source.load, lifetime, self.time)
        self.reading = strategy("test", self.loader)

    async def read(self, key: str = "a") -> int:
        return (await self.reading.get(key)).version


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


@pytest.mark.parametrize("strategy", STRATEGIES.values())
async def test_what_was_loaded_is_answered_until_it_is_no_longer_fresh(strategy: type[Reading]) -> None:
    world = World(strategy)
    await world.source.write("a")
    assert [await world.read(), await world.read()] == [1, 1]
    assert world.source.loads == 1
    world.time.now += 1.1
    await world.source.write("a")
    assert await world.read() == 2


@pytest.mark.parametrize("strategy", STRATEGIES.values())
async def test_that_there_is_none_is_remembered_for_a_shorter_time(strategy: type[Reading]) -> None:
    world = World(strategy)
    assert [(await world.reading.get("a")).value for _ in range(3)] == [None] * 3
    assert world.source.loads == 1
    await world.source.write("a")
    world.time.now += 0.6
    assert await world.read() == 1


@pytest.mark.parametrize("strategy", STRATEGIES.values())
async def test_while_the_source_is_away_the_last_answer_stands_in_for_a_while(strategy: type[Reading]) -> None:
    world = World(strategy)
    await world.source.write("a")
    assert await world.read() == 1
    world.source.away = True
    world.time.now += 3
    assert await world.read() == 1
    world.time.now += 10
    with pytest.raises(Unavailable):
        await world.read()


async def test_those_who_miss_together_share_one_load_and_without_that_each_has_its_own() -> None:
    for strategy, loads in ((ReadThrough, 1), (CacheAside, 50)):
        world = World(strategy)
        await world.source.write("a")
        assert await asyncio.gather(*(world.read() for _ in range(50))) == [1] * 50
        assert world.source.loads == loads


async def test_a_shared_load_goes_on_when_the_one_who_began_it_leaves() -> None:
    world = World()
    world.source.held = []
    await world.source.write("a")
    first, second = (asyncio.create_task(world.read()) for _ in range(2))
    (gate,) = await world.source.held_loads(1)
    first.cancel()
    gate.set()
    assert await second == 1


async def test_a_load_that_fails_fails_all_who_share_it_and_is_tried_again_by_the_next() -> None:
    world = World()
    world.source.away = True
    failed = await asyncio.gather(*(world.read() for _ in range(3)), return_exceptions=True)
    assert [type(it) for it in failed] == [Unavailable] * 3
    world.source.away = False
    await world.source.write("a")
    assert await world.read() == 1


@pytest.mark.parametrize("how", ["invalidated", "put"])
async def test_a_load_that_was_overtaken_leaves_nothing_and_answers_nobody_who_came_later(how: str) -> None:
    world = World()
    world.source.held = []
    await world.source.write("a")
    early = asyncio.create_task(world.read())
    (slow,) = await world.source.held_loads(1)
    written = await world.source.write("a")
    if how == "invalidated":
        await world.loader.invalidate("a")
    else:
        await world.loader.put("a", written)
    later = asyncio.create_task(world.read())
    if how == "invalidated":
        (await world.source.held_loads(2))[1].set()
    assert await later == 2
    slow.set()
    assert await early == 1
    assert await world.read() == 2


async def test_refreshing_ahead_nobody_waits_for_a_load_but_the_first() -> None:
    world = World(RefreshAhead)
    for version in range(1, 20):
        await world.source.write("a")
        seen = await world.read()
        assert seen >= version - 1
        for _ in range(10):
            await asyncio.sleep(0)
        world.time.now += 0.6
    assert world.source.loads == 19


async def test_a_read_is_early_the_likelier_the_sooner_the_end_and_the_longer_the_load() -> None:
    life = Lifetime(fresh=1_000)
    dice = random.Random(1).random

    def early(left: float, took: float) -> int:
        made = Entry(b"", 1, 0, round(left * 1000), 10_000, took)
        return sum(not life.good(made, 0, dice) for _ in range(2_000))

    assert early(0.9, 0.01) == 0
    assert 0 < early(0.1, 0.05) < early(0.05, 0.05) < early(0.05, 0.2) < 2_000
    assert early(-0.001, 0.0) == 2_000


def test_what_is_loaded_together_does_not_end_together() -> None:
    ends = {Lifetime(jitter=0.1).entry(Loaded(b""), 0).fresh_until for _ in range(200)}
    assert 900 <= min(ends) < max(ends) <= 1_100
    assert len(ends) > 50


async def test_writing_through_the_next_read_is_a_hit_and_writing_around_it_loads() -> None:
    for strategy, loads in ((WriteThrough, 1), (WriteAround, 2)):
        world = World()
        await world.source.write("a")
        assert await world.read() == 1
        await strategy(world.loader).write("a", lambda world=world: world.source.write("a"))  # type: ignore[misc]
        assert (await world.read(), world.source.loads) == (2, loads)


@pytest.mark.parametrize("strategy", [WriteThrough, WriteAround])
async def test_after_a_write_whose_outcome_is_unknown_the_cache_has_no_opinion(
    strategy: type[WriteThrough | WriteAround],
) -> None:
    world = World()
    await world.source.write("a")
    assert await world.read() == 1

    async def lost() -> Loaded:
        await world.source.write("a")
        raise Unavailable("the answer was lost")

    with pytest.raises(Unavailable):
        await strategy(world.loader).write("a", lost)
    assert await world.read() == 2


async def test_writing_behind_many_writes_become_one_and_what_is_not_saved_can_be_counted() -> None:
    world, saved = World(), list[tuple[str, int]]()
    failing = True

    async def store(key: str, value: Loaded) -> None:
        if failing:
            raise Unavailable("away")
        saved.append((key, value.version))

    behind = WriteBehind(world.loader, store, every=0.001, most=2)
    for version in range(1, 10):
        await behind.write("a", Loaded(b"", version))
    assert (await world.read(), behind.unsaved, saved) == (9, 1, [])
    await behind.write("b", Loaded(b"", 1))
    third = asyncio.create_task(behind.write("c", Loaded(b"", 1)))
    await asyncio.sleep(0.02)
    assert not third.done()
    failing = False
    await third
    await behind.flush()
    assert (saved, behind.unsaved) == ([("a", 9), ("b", 1), ("c", 1)], 0)


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


STEPS = ["read", "read", "bypass", "write", "invalidate", "land", "land", "forget", "later"]


@pytest.mark.parametrize("strategy", STRATEGIES.values())
async def test_L9_no_session_sees_an_older_version_whatever_overtakes_what(strategy: type[Reading]) -> None:
    """Loads land when they like, between writes, reads that go around the cache, invalidations and evictions."""
    for seed in range(1_500):
        dice = random.Random(seed)
        history = History(strategy, dice)
        for step in [*dice.choices(STEPS, k=16), *["land"] * 30]:
            await history.take(step)
        assert history.reading == [None, None], seed


class History:
    """Two sessions that read one key, in steps."""

    def __init__(self, strategy: type[Reading], dice: random.Random) -> None:
        self.reading: list[asyncio.Task[int] | None] = [None, None]
        self._seen = [0, 0]
        self._dice = dice
        self._world = World(strategy)
        self._world.source.held = []
        self._world.source.versions["a"] = 1

    async def take(self, step: str) -> None:
        world, session = self._world, self._dice.randrange(2)
        waiting = [gate for gate in world.source.held or () if not gate.is_set()]
        match step:
            case "read" | "bypass" if self.reading[session] is None:
                self.reading[session] = asyncio.create_task(world.read() if step == "read" else self._bypass())
            case "write":
                await world.source.write("a")
            case "invalidate":
                await world.loader.invalidate("a")
            case "land" if waiting:
                self._dice.choice(waiting).set()
            case "forget":
                await world.cache.clear()
            case "later":
                world.time.now += 0.6
        for _ in range(6):
            await asyncio.sleep(0)
        for each, task in enumerate(self.reading):
            if task is not None and task.done():
                assert task.result() >= self._seen[each], "a session went backwards"
                self._seen[each], self.reading[each] = task.result(), None

    async def _bypass(self) -> int:
        world, loaded = self._world, self._world.time()
        return (await world.loader.put("a", await world.source.load("a"), loaded)).version
