"""No strategy lets a session read backwards (L9), whatever overtakes what."""

import asyncio
import random

import pytest

from common.cache.reading import STRATEGIES, Reading
from common.testing.cached import World

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
