"""How soon each discovery tells that an endpoint is there, has left, or has died: the table of docs/patterns.md.

    .venv/bin/python bench/discovery.py                     the registry
    KUBECONFIG=... .venv/bin/python bench/discovery.py      and a cluster: EndpointSlices, DNS by its CoreDNS (needs kubectl)

Each figure is the time from the event to the moment when a watching client has the new list, as median and largest of --times.
The event is the call that makes it: the registration, the farewell, the change of a pod's readiness, its deletion, kill -9.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import dns.asyncresolver
import structlog

from common.discovery import Discovery, Endpoint
from common.discovery.by_dns import Dns
from common.discovery.by_registry import Registry
from common.discovery.registration import Registration
from common.testing import cluster
from common.testing.discovery_contract import Watcher

LONG = 90.0  # seconds: longer than any time to live

Times = dict[str, list[float]]


async def timed(event: Awaitable[object], seen: Awaitable[object]) -> float:
    began = time.monotonic()
    await event
    await seen
    return time.monotonic() - began


def listening() -> socket.socket:
    found = socket.create_server(("127.0.0.1", 0))
    found.set_inheritable(True)
    return found


def url(door: socket.socket) -> str:
    return f"http://127.0.0.1:{door.getsockname()[1]}"


def process(name: str, door: socket.socket, data: Path, **settings: str) -> subprocess.Popen[bytes]:
    """A service on sockets that we hold. Its port for probes closes with it."""
    with listening() as admin, (data / "log").open("ab") as log:
        told = {"DATA": str(data), "API_FD": str(door.fileno()), "ADMIN_FD": str(admin.fileno()), **settings}
        environment = {**os.environ, **{f"ORDERLY_{key}": value for key, value in told.items()}}
        command = [sys.executable, "-P", "-m", name]
        fds = (door.fileno(), admin.fileno())
        return subprocess.Popen(command, env=environment, pass_fds=fds, stdout=log, stderr=log)


async def registry(times: int) -> Times:
    found: Times = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, listening() as door, listening() as served:
        server = process("registry", door, Path(folder))
        watcher = Watcher(Registry(url(door), "provider"))
        try:
            await watcher.sees()  # it has started, and has learnt that nobody is there
            for number in range(times):
                here = Registration(url(door), "provider", "here", lambda: Endpoint("http://10.0.0.1:1"))
                found["is there"].append(await timed(here.start(), watcher.sees("http://10.0.0.1:1")))
                found["leaves"].append(await timed(here.leave(), watcher.sees()))
                victim = process("provider", served, Path(folder), REGISTRY_URL=url(door))
                await watcher.sees(url(served))
                await asyncio.sleep(5 + number / 10)  # some heartbeats, so that it knows what is usual
                began = time.monotonic()
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                await watcher.sees()
                found["dies: suspected"].append(time.monotonic() - began)
                await watcher.until(lambda: not watcher.lists[-1])
                found["dies: lease over"].append(time.monotonic() - began)
        finally:
            await watcher.close()
            server.kill()
            server.wait()
    return found


async def in_cluster(site: cluster.Cluster, discovery: Discovery, times: int) -> Times:
    found: Times = defaultdict(list)
    watcher = Watcher(discovery)
    try:
        for number in range(1, times + 1):
            await site.start(number)
            await asyncio.sleep(1 + number / 5)  # not in step with anybody's clock
            there = site.address(number)
            found["is there"].append(await timed(site.ready(number, True), watcher.sees(there, within=LONG)))
            found["leaves"].append(await timed(site.hide(number), watcher.sees(within=LONG)))
            await site.ready(number, True)
            await watcher.sees(there, within=LONG)
            found["dies: deleted"].append(await timed(site.remove(number), watcher.sees(within=LONG)))
    finally:
        await watcher.close()
    return found


class OverTcp(dns.asyncresolver.Resolver):
    """kubectl forwards TCP only."""

    async def resolve(self, *arguments: Any, **named: Any) -> Any:
        return await super().resolve(*arguments, **{**named, "tcp": True})


@contextlib.asynccontextmanager
async def core_dns() -> AsyncIterator[OverTcp]:
    command = ["kubectl", "port-forward", "--namespace", "kube-system", "service/kube-dns", ":53"]
    forward = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert forward.stdout is not None
    try:
        line = (await forward.stdout.readline()).decode()
        told = re.search(r":(\d+) ->", line)
        if told is None:
            raise SystemExit(f"kubectl port-forward says: {line}")
        resolver = OverTcp(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = int(told[1])
        yield resolver
    finally:
        forward.terminate()
        await forward.wait()


def show(name: str, found: Times) -> None:
    for event, seconds in found.items():
        print(
            f"| {name} | {event} | {statistics.median(seconds):.2f} | {max(seconds):.2f} | {len(seconds)} |", flush=True
        )


async def main(times: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print("| discovery | the endpoint | median s | largest s | times |\n|---|---|---|---|---|")
    show("registry", await registry(times))
    if cluster.reachable() is None:
        async with cluster.cluster() as site:
            show("EndpointSlice watch", await in_cluster(site, site.discovery(), times))
        async with cluster.cluster() as site, core_dns() as resolver:
            name = f"{cluster.SERVICE}.{site.namespace}.svc.cluster.local."
            show("DNS, headless Service", await in_cluster(site, Dns(name, 8443, resolver=resolver), times))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How soon each discovery tells.")
    parser.add_argument("--times", type=int, default=5)
    asyncio.run(main(parser.parse_args().times))
