"""Writing through, around and behind a cache do what their names say."""

import asyncio

import pytest

from common.cache import Loaded
from common.cache.writing import WriteAround, WriteBehind, WriteThrough
from common.errors import Unavailable
from common.testing.cached import World


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
