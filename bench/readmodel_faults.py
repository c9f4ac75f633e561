"""Measures how long the order read model in Redis answers nothing when Redis is lost, and prints the table of bench/README.md.

    .venv/bin/python bench/readmodel_faults.py          a minute; needs redis-server

A log in memory has nine records for each of 10 000 orders; a projector folds them as in the service, and a view asks for one
order all the time. Measured from the moment when Redis can be reached again to the first answer.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis
import uvloop

from common import topology
from common.contracts.inventory import StockReserved, StockShipped
from common.contracts.money import Money
from common.contracts.order import Line, OrderConfirmed, OrderPlaced
from common.contracts.payment import PaymentAuthorized, PaymentCaptured
from common.errors import Unavailable
from common.eventlog import Record, Stored
from common.eventlog.memory import MemoryLog
from common.messages import Message
from common.projector import Projector
from common.readmodel import Bell
from common.readmodel.redis import RedisReadModel, RedisView
from common.runtime import Loop
from common.testing.eventually import eventually
from common.testing.histories import History
from order.projection import OrderProjection
from orderly.backing.private import RedisServer

EURO = Money(1999, "EUR")
FROZEN = 5.0  # seconds
VERSION = 6  # of each order's document in the end


def order_id(number: int) -> str:
    return f"ord_{number:032x}"


def life(number: int) -> list[Stored]:
    """The records of all services about one order."""
    name = order_id(number)
    order = History("order", name)
    stock = History("inventory", f"sku-{number % 100}", correlation=name)
    payment = History("payment", name)
    steps: list[tuple[History, list[Message]]] = [
        (order, [OrderPlaced(name, f"c{number % 500}", (Line("tea", 1, EURO),), EURO, "tok_ok", "0" * 32)]),
        (stock, [StockReserved("tea", name, 1, 0)]),
        (order, [StockReserved("tea", name, 1, 0)]),
        (payment, [PaymentAuthorized(name)]),
        (order, [PaymentAuthorized(name), OrderConfirmed(name)]),
        (stock, [StockShipped("tea", name, 1)]),
        (payment, [PaymentCaptured(name, EURO)]),
        (order, [StockShipped("tea", name, 1)]),
        (order, [PaymentCaptured(name, EURO)]),
    ]
    return [history.record(*events) for history, events in steps]


@dataclass
class Asked:
    """One question: when it was asked, how long it took, whether it was answered (rightly, or this raises)."""

    at: float
    took: float
    answered: bool


async def keep_asking(view: RedisView, seen: list[Asked]) -> None:
    while True:
        at = time.perf_counter()
        try:
            document = await view.get(order_id(1))
            assert document is not None and document.version == VERSION, document
            answered = True
        except Unavailable:
            answered = False
        seen.append(Asked(at, time.perf_counter() - at, answered))
        await asyncio.sleep(0.005)


async def strike(name: str, view: RedisView, happens: Callable[[], float]) -> None:
    """`happens` returns the moment from which Redis can be reached again."""
    seen: list[Asked] = []
    asking = asyncio.create_task(keep_asking(view, seen))
    await asyncio.sleep(1.0)
    since = await asyncio.to_thread(happens)
    while asking.done() or not any(it.answered and it.at > since + 0.01 for it in seen):
        await asyncio.sleep(0.01)
        assert time.perf_counter() < since + 300
    asking.cancel()
    first = next(it.at + it.took for it in seen if it.answered and it.at > since + 0.01)
    refused = max((it.took for it in seen if not it.answered), default=0.0)
    print(f"| {name} | {first - since:.2f} s | {refused:.2f} s |")
    sys.stdout.flush()


async def measure(empty: RedisServer, log: MemoryLog, keeping: RedisServer) -> None:
    for server, kind in ((empty, "keeps nothing on disk"), (keeping, "keeps everything (AOF, everysec)")):
        model, view = RedisReadModel(server.url, "order", Bell()), RedisView(server.url, "order", Bell())
        projector = Projector("order", OrderProjection(), log, model)
        loop = Loop("projector", projector.step, recover=projector.restart, close=projector.close, idle=0.5)
        began = time.perf_counter()
        loop.start()
        await asyncio.to_thread(eventually, lambda: projector.whole, within=300)  # noqa: B023
        print(f"| built from the first record ({kind}) | {time.perf_counter() - began:.2f} s | |")

        def freeze() -> float:
            server.freeze()  # noqa: B023  # used before the next one
            time.sleep(FROZEN)
            server.thaw()  # noqa: B023
            return time.perf_counter()

        def restart() -> float:
            server.kill()  # noqa: B023
            server.restart()  # noqa: B023
            return time.perf_counter()

        def flush() -> float:
            with redis.Redis.from_url(server.url, protocol=2) as client:  # noqa: B023
                client.flushall()
            return time.perf_counter()

        await strike(f"frozen for {FROZEN:.0f} s ({kind})", view, freeze)
        await strike(f"kill -9 and restart ({kind})", view, restart)
        await strike(f"FLUSHALL ({kind})", view, flush)
        loop.stop()
        await asyncio.to_thread(loop.join, 10.0)
        model.close()
        view.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=10_000)
    orders = parser.parse_args().orders
    log = MemoryLog()
    log.create(topology.topics())
    lives = [life(number) for number in range(orders)]
    for step in zip(*lives, strict=True):
        log.append([Record(it.topic, it.key, it.value, it.headers) for it in step]).result()
    print(f"{orders * len(lives[0])} records\n\n| | first answer after | longest wait for a 503 |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        empty = RedisServer.start(Path(folder) / "empty")
        keeping = RedisServer.start(Path(folder) / "keeping", {"appendonly": "yes"})
        try:
            uvloop.run(measure(empty, log, keeping))
        finally:
            empty.close()
            keeping.close()


if __name__ == "__main__":
    main()
