"""What was loaded is answered: for how long, by whom it is loaded, and what happens when loads overtake each other."""

import asyncio
import random

import pytest

from common.cache import Entry, Loaded
from common.cache.lifetime import Lifetime
from common.cache.reading import STRATEGIES, CacheAside, Reading, ReadThrough, RefreshAhead
from common.errors import Unavailable
from common.testing.cached import World


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
