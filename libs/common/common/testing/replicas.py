"""Several replicas as processes, one of which gets into trouble under a constant load: what do its callers see?

Arrivals are open-loop: a request is sent when it is due, whatever became of those before, and its latency counts from there.
"""

import asyncio
import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from common.discovery import Endpoint, Static
from common.errors import Refused, Unavailable
from common.http_client import Upstream
from common.resilience.policy import Policy

WITHIN = 30.0  # seconds for a process to start on a busy machine


@dataclass
class Phase:
    """What became of the requests of one phase. Seconds."""

    failed: int = 0
    refused: int = 0  # of the failed ones: by a guard, at once
    latencies: list[float] = field(default_factory=list)  # of the failed ones too
    by_replica: dict[bytes, int] = field(default_factory=dict)

    @property
    def failures(self) -> float:
        """The share of requests that failed."""
        return self.failed / max(1, len(self.latencies))

    def quantile(self, share: float) -> float:
        return sorted(self.latencies)[max(0, math.ceil(share * len(self.latencies)) - 1)]


class Replicas:
    """Replica 0 is the one in trouble. Each alone holds its socket, so connections to a killed one are refused."""

    def __init__(self, count: int) -> None:
        started = [_start(0) for _ in range(count)]
        self._processes = [process for process, _ in started]
        self._ports = [port for _, port in started]
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]

    async def trouble(self, kind: str) -> None:
        """One of TROUBLES."""
        await TROUBLES[kind](self)

    async def be_well(self) -> None:
        """Whatever happened to them; returns when all answer."""
        for number, process in enumerate(self._processes):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
            else:
                self._processes[number], _ = _start(self._ports[number])
        await asyncio.gather(*(self._tell(number, "none") for number in range(len(self.urls))))

    def signal(self, number: int, what: int) -> None:
        os.kill(self._processes[number].pid, what)

    async def _tell(self, number: int, fault: str) -> None:
        url = f"{self.urls[number]}/fault/{fault}"
        async with asyncio.timeout(WITHIN), aiohttp.request("PUT", url) as response:
            await response.read()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _start(port: int) -> tuple[subprocess.Popen[bytes], int]:
    with socket.create_server(("127.0.0.1", port), backlog=1024) as door:
        command = [sys.executable, "-P", "-m", "common.testing.replica", str(door.fileno())]
        return subprocess.Popen(command, pass_fds=(door.fileno(),)), door.getsockname()[1]


async def _kill(replicas: Replicas) -> None:
    replicas.signal(0, signal.SIGKILL)


async def _freeze(replicas: Replicas) -> None:
    replicas.signal(0, signal.SIGSTOP)


async def _freeze_all(replicas: Replicas) -> None:
    for number in range(len(replicas.urls)):
        replicas.signal(number, signal.SIGSTOP)


def _fault(kind: str) -> Callable[[Replicas], Awaitable[None]]:
    return lambda replicas: replicas._tell(0, kind)


TROUBLES: Mapping[str, Callable[[Replicas], Awaitable[None]]] = {
    "killed": _kill,
    "frozen": _freeze,
    "slow": _fault("slow"),
    "black hole": _fault("hole"),
    "errors at once": _fault("errors"),
    "all frozen": _freeze_all,
}


@contextlib.asynccontextmanager
async def replicas(count: int = 3) -> AsyncIterator[Replicas]:
    started = Replicas(count)
    try:
        await started.be_well()
        yield started
    finally:
        started.close()


async def load(upstream: Upstream, rate: float, seconds: float) -> Phase:
    """GETs at a constant rate; returns when all have been answered or have failed."""
    loop = asyncio.get_running_loop()
    phase = Phase()
    began = loop.time()

    async def one(due: float) -> None:
        await asyncio.sleep(due - loop.time())
        failed = False
        try:
            answer = await upstream.request("GET", "/work")
            failed = answer.status >= 500
            phase.by_replica[answer.body] = phase.by_replica.get(answer.body, 0) + 1
        except Unavailable as error:
            failed = True
            phase.refused += isinstance(error, Refused)
        phase.failed += failed
        phase.latencies.append(loop.time() - due)

    await asyncio.gather(*(one(began + number / rate) for number in range(int(rate * seconds))))
    return phase


async def ordeal(
    kind: str, policy: Policy, rate: float, *, before: float, during: float, after: float = 0.0
) -> Mapping[str, Phase]:
    """Before, during and after the trouble, for so many seconds each; `after` begins when it has ended, if it is asked for."""
    async with replicas() as found:
        upstream = Upstream("replica", Static(*map(Endpoint, found.urls)), policy)
        try:
            phases = {"before": await load(upstream, rate, before)}
            await found.trouble(kind)
            phases["during"] = await load(upstream, rate, during)
            if after:
                await found.be_well()
                phases["after"] = await load(upstream, rate, after)
        finally:
            await upstream.close()
    return phases
