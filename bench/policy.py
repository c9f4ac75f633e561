"""Measures what a decision of the policies costs: CPU per request, both ends in one process, with and without.

    .venv/bin/python bench/policy.py                    half a minute

The same small service and client: plain, by mutual TLS, with decisions at the door and on the order (remembered), and with one
that depends on an amount (new each time). In turns, so that a noisy host hits all four. CPU is that of the process, not elapsed
time. First what each kind of decision takes alone, and what the policies take of memory.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import psutil
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from tls import application, cost

from common.security import policy
from common.security.identity import Identity
from common.telemetry import logs
from common.testing.certificates import Certificates
from common.testing.http import serving

ROUNDS = 9
REQUESTS = 1_000
DECISIONS = 5_000

ALICE = Identity("alice", frozenset({"customer"}))
ORDER = policy.Order("ord_1", "alice")
_amounts = itertools.count()


def remembered() -> None:
    policy.enter(ALICE, "show_order")
    assert policy.permits(ALICE, "show_order", ORDER)


def new() -> None:
    policy.demand(ALICE, "place_order", policy.Order("ord_1", "alice", total=next(_amounts)))


def behind(decide: Callable[[], None]) -> ASGIApp:
    async def decided(scope: Scope, receive: Receive, send: Send) -> None:
        decide()
        await application(scope, receive, send)

    return decided


def alone() -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    begun = time.perf_counter()
    new()
    took, grown = time.perf_counter() - begun, process.memory_info().rss - before
    print(f"the first decision: {took * 1000:.0f} ms, {grown / 1e6:.1f} MB\n")
    print("| decisions | µs of CPU |\n|---|---|")
    for name, decide in (("two, remembered", remembered), ("one, new each time", new)):
        found = []
        for _ in range(ROUNDS):
            cpu = time.process_time()
            for _ in range(DECISIONS):
                decide()
            found.append((time.process_time() - cpu) / DECISIONS * 1e6)
        print(f"| {name} | {statistics.median(found):.1f} |")


async def measure(folder: Path) -> None:
    certificates = Certificates(folder)
    server, client = (
        certificates.credentials("inventory").server(),
        certificates.credentials("order").client("inventory"),
    )
    found: dict[str, list[float]] = {}
    async with (
        serving(application) as plain,
        serving(application, server) as secured,
        serving(behind(remembered), server) as known,
        serving(behind(new), server) as fresh,
    ):
        ways: Mapping[str, str] = {
            "plain": plain.url,
            "mutual TLS": secured.url,
            "mutual TLS, two decisions, remembered": known.url,
            "mutual TLS, one decision, new each time": fresh.url,
        }
        for _ in range(ROUNDS):
            for name, url in ways.items():
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client)) as session:
                    await cost(session, url, 10)
                    found.setdefault(name, []).append(await cost(session, url, REQUESTS))
    middle = {name: statistics.median(costs) for name, costs in found.items()}
    print("\n| a request | µs of CPU, client and server together | difference | ratio |\n|---|---|---|---|")
    for name, each in middle.items():
        print(f"| {name} | {each:.0f} | {each - middle['plain']:+.0f} | {each / middle['plain']:.2f} |")


if __name__ == "__main__":
    logs.configure("bench")  # as a service's: what was allowed is not logged
    alone()
    with tempfile.TemporaryDirectory() as temporary:
        uvloop.run(measure(Path(temporary) / "certs"))
