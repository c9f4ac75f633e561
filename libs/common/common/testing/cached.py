"""A cache with a source behind it in which a test can do everything: hold loads, be away, let time pass."""

import asyncio
from collections import Counter

from common.cache import Entry, Loaded
from common.cache.lifetime import Lifetime
from common.cache.loader import Loader
from common.cache.memory import MemoryCache
from common.cache.reading import Reading, ReadThrough
from common.errors import Unavailable


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
