"""Measures the stores of read models side by side and prints the table of bench/README.md.

    .venv/bin/python bench/readmodel.py                 half a minute; needs redis-server

Each event is a new version of one of the orders (a document of 600 bytes) and an entry of its timeline; a batch has 200 of
them. CPU is that of this process, and of Redis beside it.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import uvloop

from common.readmodel import Bell, Document, Entry, ReadModel, View
from common.readmodel.embedded import EmbeddedReadModel, EmbeddedView
from common.readmodel.memory import MemoryReadModel
from common.readmodel.redis import RedisReadModel, RedisView
from orderly.backing.private import RedisServer

BATCH = 200
GETS = 20_000
BODY = b'{"order_id":"ord_0123456789abcdef","status":"confirmed","lines":[' + b"x" * 530 + b"]}"


@dataclass
class Spent:
    """Of one thing done often, in microseconds."""

    wall: float = 0.0
    own: float = 0.0
    redis: float = 0.0

    def __str__(self) -> str:
        return f"{self.wall:.1f} | {self.own:.1f} | " + (f"{self.redis:.1f}" if self.redis else "")


class Clocks:
    def __init__(self, server: int | None) -> None:
        self._server = psutil.Process(server) if server else None

    @contextmanager
    def measuring(self, times: int) -> Iterator[Spent]:
        spent = Spent()
        before = self._read()
        yield spent
        spent.wall, spent.own, spent.redis = ((b - a) / times * 1e6 for a, b in zip(before, self._read(), strict=True))

    def _read(self) -> tuple[float, float, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        server = sum(self._server.cpu_times()[:2]) if self._server else 0.0
        return time.perf_counter(), used.ru_utime + used.ru_stime, server


def write(model: ReadModel, orders: int, events: int) -> None:
    """As a projector does: load what is to be folded, then write it."""
    for start in range(0, events, BATCH):
        keys = [f"ord_{n % orders:032d}" for n in range(start, start + BATCH)]
        loaded = model.load(keys)
        documents = [
            Document(key, start // orders + 1, BODY) for key in keys if key not in loaded or loaded[key].version
        ]
        entries = [Entry(f"timeline/{key}", f"{start:013d}/order.events/3/{start}", b"") for key in keys]
        model.apply(documents, entries, {f"order.events/{n}": start + BATCH for n in range(8)})


async def read(view: View, orders: int, at_once: int) -> None:
    async def ask(first: int) -> None:
        for n in range(first, GETS, at_once):
            assert await view.get(f"ord_{n % orders:032d}") is not None

    await asyncio.gather(*(ask(first) for first in range(at_once)))


def measure(
    name: str, model: ReadModel, open_view: Callable[[], View], clocks: Clocks, orders: int, events: int
) -> None:
    with clocks.measuring(events) as writing:
        write(model, orders, events)

    async def reads() -> tuple[Spent, Spent]:
        view = open_view()
        await read(view, orders, 50)
        with clocks.measuring(GETS) as alone:
            await read(view, orders, 1)
        with clocks.measuring(GETS) as together:
            await read(view, orders, 50)
        view.close()
        return alone, together

    alone, together = uvloop.run(reads())
    print(f"| {name} | {writing} | {alone} | {together} |")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=60_000)
    chosen = parser.parse_args()
    columns = [
        f"{what}, {of}" for what in ("event", "get", "get, 50 at once") for of in ("µs", "own CPU", "Redis' CPU")
    ]
    print("| | " + " | ".join(columns) + " |\n" + "|---" * 10 + "|")
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        memory = MemoryReadModel()
        measure("memory", memory, memory.view, Clocks(None), chosen.orders, chosen.events)
        sqlite = EmbeddedReadModel(folder / "sqlite", Bell())
        opened.callback(sqlite.close)
        measure(
            "SQLite",
            sqlite,
            lambda: EmbeddedView(folder / "sqlite", Bell()),
            Clocks(None),
            chosen.orders,
            chosen.events,
        )
        for name, options in (("Redis", {}), ("Redis, AOF everysec", {"appendonly": "yes"})):
            server = RedisServer.start(folder / name, options)
            opened.callback(server.close)
            redis = RedisReadModel(server.url, "order", Bell())
            opened.callback(redis.close)
            assert redis.generation
            redis.serve()
            view = partial(RedisView, server.url, "order", Bell())
            measure(name, redis, view, Clocks(server.pid), chosen.orders, chosen.events)


if __name__ == "__main__":
    main()
