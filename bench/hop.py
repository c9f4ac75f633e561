"""Measures what it costs that the gateway signs in whose name it asks: CPU per request, both ends in one process.

    .venv/bin/python bench/hop.py                       a quarter of a minute

The same small service behind mutual TLS and the same guard, asked by the gateway's own client: in nobody's name, in the name of
one caller (the token is remembered at both ends), and each time in the name of another (it is signed and checked). In turns, so
that a noisy host hits all three. CPU is that of the process, not elapsed time.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import uvloop
from tls import application

from common.http_client import Upstream
from common.security.gate import Named
from common.security.hop import Minter
from common.security.identity import Identity
from common.testing.certificates import Certificates
from common.testing.http import serving

ROUNDS = 9
REQUESTS = 1_000

Name = Callable[[], Mapping[str, str]]


async def cost(upstream: Upstream, name: Name, requests: int) -> float:
    """µs of CPU for one request."""
    before = time.process_time()
    for _ in range(requests):
        await upstream.request("GET", "/v1/products/tea", name())
    return (time.process_time() - before) / requests * 1e6


async def measure(folder: Path) -> None:
    certificates = Certificates(folder)
    service, gateway = certificates.credentials("inventory"), certificates.credentials("gateway")
    minter, numbers = Minter(gateway), itertools.count()
    alice = Identity("alice", frozenset({"customer"}))
    names: Mapping[str, Name] = {
        "in nobody's name": dict,
        "of one caller": lambda: minter.headers(alice, "inventory"),
        "of another each time": lambda: minter.headers(Identity(f"customer-{next(numbers)}", alice.roles), "inventory"),
    }
    found: dict[str, list[float]] = {name: [] for name in names}
    async with serving(Named(application, service), service.server()) as address:
        upstream = Upstream("inventory", address.url, credentials=gateway)
        for _ in range(ROUNDS):
            for name, told in names.items():
                await cost(upstream, told, 10)
                found[name].append(await cost(upstream, told, REQUESTS))
        await upstream.close()
    middle = {name: statistics.median(costs) for name, costs in found.items()}
    base = middle["in nobody's name"]
    print("| a request | µs of CPU, client and server together | difference | ratio |\n|---|---|---|---|")
    for name, each in middle.items():
        print(f"| {name} | {each:.0f} | {each - base:+.0f} | {each / base:.2f} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        uvloop.run(measure(Path(temporary) / "certs"))
