"""Caching strategies compared, on one load and in virtual time: the tables and the picture of docs/patterns.md.

    .venv/bin/python bench/caches.py [--seconds 120] [--seed 1]

Readers ask at random for 200 products, one of them in half of the cases, 400 times a second; a product is written every 200 ms;
the source takes 40 ms to load and to write. An entry is fresh for a second. Nobody tells the cache of a write: what is compared
is what the strategies do by themselves. Writers write 50 times a second, and read what they wrote. The code that runs is that
of the platform, on a clock that jumps.
"""

import argparse
import asyncio
import random
import statistics
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bars import Bar, Panel, picture

from common.cache import Loaded
from common.cache.lifetime import Lifetime
from common.cache.loader import Loader
from common.cache.memory import MemoryCache
from common.cache.reading import CacheAside, Reading, ReadThrough, RefreshAhead
from common.cache.writing import WriteAround, WriteBehind, WriteThrough

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "caches.svg"
PRODUCTS, READS, WRITES, TAKES = 200, 400.0, 5.0, 0.04
PLAIN = Lifetime(jitter=0.0, beta=0.0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Nothing to do now: then it is later."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready and loop._scheduled:
            self._now = max(self._now, loop._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]  # asyncio's own step


def millis() -> int:
    return round(asyncio.get_running_loop().time() * 1000)


@dataclass
class Source:
    """The database behind. `written`: when each version of a product came to be."""

    written: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0]))
    loads: int = 0
    saves: int = 0
    at_once: Counter[str] = field(default_factory=Counter)
    worst: int = 0

    async def load(self, key: str) -> Loaded:
        self.loads += 1
        self.at_once[key] += 1
        self.worst = max(self.worst, self.at_once[key])
        version = len(self.written[key])
        await asyncio.sleep(TAKES)
        self.at_once[key] -= 1
        return Loaded(b"", version)

    async def save(self, key: str) -> Loaded:
        await asyncio.sleep(TAKES)
        self.saves += 1
        self.written[key].append(asyncio.get_running_loop().time())
        return Loaded(b"", len(self.written[key]))

    def behind(self, key: str, version: int, now: float) -> float:
        """For how long there has been a newer version."""
        known = bisect_right(self.written[key], now)
        return 0.0 if version >= known else now - self.written[key][version]


class Uncached(Reading):
    """The source alone."""

    async def get(self, key: str) -> Any:
        return await self._load(key)

    async def _load(self, key: str) -> Any:
        return self.loader.lifetime.entry(await self.loader._load(key), millis())


READERS: list[tuple[str, type[Reading], Lifetime]] = [
    ("no cache", Uncached, PLAIN),
    ("cache-aside", CacheAside, PLAIN),
    ("read-through", ReadThrough, PLAIN),
    ("read-through, jitter and early", ReadThrough, Lifetime()),
    ("refresh-ahead", RefreshAhead, PLAIN),
]


def product(dice: random.Random) -> str:
    return "hot" if dice.random() < 0.5 else f"product-{dice.randrange(PRODUCTS)}"


async def at_rate(
    rate: float, seconds: float, dice: random.Random, act: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Open loop, Poisson arrivals."""
    async with asyncio.TaskGroup() as group:
        ends = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < ends:
            group.create_task(act())
            await asyncio.sleep(dice.expovariate(rate))


async def read_by(strategy: type[Reading], lifetime: Lifetime, seconds: float, seed: int) -> list[float]:
    """Per cent of hits, p50 and p99 in ms, loads a second, most loads of one product at once, p99 of behind in ms."""
    dice, source, loop = random.Random(seed), Source(), asyncio.get_running_loop()
    random.seed(seed)
    reading = strategy("bench", Loader(MemoryCache(clock=millis), source.load, lifetime, millis))
    took, behind = list[float](), list[float]()

    async def read() -> None:
        key, began = product(dice), loop.time()
        version = (await reading.get(key)).version
        took.append((loop.time() - began) * 1000)
        behind.append(source.behind(key, version, loop.time()) * 1000)

    async def write() -> None:
        await source.save(product(dice))

    await asyncio.gather(at_rate(READS, seconds, dice, read), at_rate(WRITES, seconds, dice, write))
    hits = 100 * sum(it < 1 for it in took) / len(took)
    return [hits, *quantiles(took), source.loads / seconds, source.worst, quantiles(behind)[1]]


async def write_by(name: str, seconds: float, seed: int) -> list[float]:
    """p50 of a write in ms, p50 of the first read after it in ms, saves a second, writes that a crash would lose."""
    dice, source, loop = random.Random(seed), Source(), asyncio.get_running_loop()
    loader = Loader(MemoryCache(clock=millis), source.load, PLAIN, millis)
    reading = ReadThrough("bench", loader)

    async def store(key: str, value: Loaded) -> None:
        await source.save(key)

    behind = WriteBehind(loader, store)
    direct = WriteThrough(loader) if name == "write-through" else WriteAround(loader)
    took, first, unsaved = list[float](), list[float](), 0

    async def write() -> None:
        nonlocal unsaved
        key, began = product(dice), loop.time()
        if name == "write-behind":
            await behind.write(key, Loaded(b"", 1_000_000 + millis()))
        else:
            await direct.write(key, lambda: source.save(key))
        took.append((loop.time() - began) * 1000)
        unsaved = max(unsaved, behind.unsaved)
        began = loop.time()
        await reading.get(key)
        first.append((loop.time() - began) * 1000)

    await at_rate(WRITES * 10, seconds, dice, write)
    await behind.flush()
    return [statistics.median(took), statistics.median(first), source.saves / seconds, unsaved]


def quantiles(values: list[float]) -> tuple[float, float]:
    ranked = sorted(values)
    return ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)]


def main(seconds: float, seed: int) -> None:
    panels = [
        Panel(title, unit, log=True)
        for title, unit in (
            ("loads at the source", "a second"),
            ("the same one at once, at most", "loads"),
            ("behind, p99", "ms"),
        )
    ]
    print(
        "| reading | hits | p50 / p99 ms | loads/s | most of one at once | behind, p99 ms |\n|---|---|---|---|---|---|"
    )
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        for name, strategy, lifetime in READERS:
            hits, p50, p99, loads, worst, behind = runner.run(read_by(strategy, lifetime, seconds, seed))
            print(f"| {name} | {hits:.1f} % | {p50:.0f} / {p99:.0f} | {loads:.0f} | {worst:.0f} | {behind:,.0f} |")
            for panel, value in zip(panels, (loads, worst, behind), strict=True):
                panel.bars.append(Bar(name, [value]))
        print(
            "\n| writing | write p50 ms | first read after it, p50 ms | saves/s | a crash loses, at most |\n"
            + "|---" * 5
            + "|"
        )
        for name in ("write-through", "write-around", "write-behind"):
            write, read, saves, lost = runner.run(write_by(name, seconds, seed))
            print(f"| {name} | {write:.0f} | {read:.0f} | {saves:.0f} | {lost:.0f} |")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture("The same reads through five strategies (logarithmic)", panels))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What caching strategies cost and buy.")
    parser.add_argument("--seconds", type=float, default=120.0, help="of virtual time")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    main(chosen.seconds, chosen.seed)
