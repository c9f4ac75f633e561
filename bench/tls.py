"""Measures what mutual TLS costs: CPU per request and per handshake, both ends in one process.

    .venv/bin/python bench/tls.py                       half a minute

The same small application behind the same guard, asked by the same client, plain and by mutual TLS with the platform's own
contexts, in turns, so that a noisy host hits both. CPU is that of the process, not elapsed time: other load moves it little.
"""

import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop
from starlette.types import Receive, Scope, Send

from common.testing.certificates import Certificates
from common.testing.http import serving

ROUNDS = 9
REQUESTS = 2_000
HANDSHAKES = 300

ANSWER = b'{"sku":"tea","name":"Green tea","price":{"amount":420,"currency":"EUR"},"available":100}'


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


async def cost(session: aiohttp.ClientSession, url: str, requests: int) -> float:
    """µs of CPU for one request."""
    before = time.process_time()
    for _ in range(requests):
        async with session.get(url) as answer:
            await answer.read()
    return (time.process_time() - before) / requests * 1e6


async def measure(folder: Path) -> None:
    certificates = Certificates(folder)
    server, client = (
        certificates.credentials("inventory").server(),
        certificates.credentials("order").client("inventory"),
    )
    found: dict[tuple[str, str], list[float]] = {}
    async with serving(application) as plain, serving(application, server) as secured:
        for _ in range(ROUNDS):
            for name, address in (("plain", plain), ("mutual TLS", secured)):
                for kind, force, requests in (
                    ("kept connection", False, REQUESTS),
                    ("new connection", True, HANDSHAKES),
                ):
                    connector = aiohttp.TCPConnector(force_close=force, ssl=client)
                    async with aiohttp.ClientSession(connector=connector) as session:
                        await cost(session, address.url, 10)
                        found.setdefault((kind, name), []).append(await cost(session, address.url, requests))
    print("| µs of CPU per request, client and server together | plain | mutual TLS | difference |\n|---|---|---|---|")
    for kind in ("kept connection", "new connection"):
        without, by_tls = (statistics.median(found[kind, name]) for name in ("plain", "mutual TLS"))
        print(f"| {kind} | {without:.0f} | {by_tls:.0f} | {by_tls - without:.0f} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        uvloop.run(measure(Path(temporary) / "certs"))
