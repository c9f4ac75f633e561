"""Runs one service process: its loops in threads, its API and probes on one event loop, and a drain that loses nothing.

On SIGTERM or SIGINT, or when the parent that passed us a pipe is gone: not ready, and not registered any more → serve for
`leave_seconds` while callers turn to others, each answer ending its connection → close idle connections, finish requests in
flight → finish and commit the batch in work → leave the groups → close the log → exit 0. A second signal changes nothing;
kill -9 is safe too.
"""

import asyncio
import gc
import os
import resource
import signal
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from common import health as probes
from common.errors import Fenced, Unavailable
from common.health import Health, Pulse
from common.security.credentials import Credentials
from common.server import Server, socket_of
from common.settings import Listening
from common.telemetry import metrics
from common.telemetry.http_spans import TracedServer
from common.telemetry.requests import Measured
from common.telemetry.vitals import Question, Vitals
from common.topology import GATEWAY

if TYPE_CHECKING:
    from common.faults.switches import Switches

if TYPE_CHECKING:
    from common.discovery.registration import Registration

MANY_FILES = 10_000

_log = structlog.get_logger("runtime")


class Loop:
    """A thread that calls `step(timeout)` until it is stopped. An error is logged, `recover`ed from, and retried with
    back-off; it never ends the thread, and never hides: the pulse stops only when a step hangs."""

    def __init__(
        self,
        name: str,
        step: Callable[[float], Any],
        *,
        wake: Callable[[], None] = lambda: None,
        recover: Callable[[], None] = lambda: None,
        close: Callable[[], None] = lambda: None,
        idle: float = 1.0,
        longest_step: float = 30.0,
    ) -> None:
        self.name = name
        self.pulse = Pulse(longest_step)
        self.failure: str | None = "not started"
        self._failures = metrics.LOOP_FAILURES.labels(name)
        self._step, self._wake, self._recover, self._close, self._idle = step, wake, recover, close, idle
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end after the step in work; `join` waits for that."""
        self._stopping.set()
        self._wake()

    def join(self, within: float) -> bool:
        self._thread.join(within)
        return not self._thread.is_alive()

    def check(self) -> str | None:
        return self.failure

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            self.pulse.beat()
            try:
                self._step(self._idle)
                self.failure, pause = None, 0.0
            except Exception as error:
                expected = isinstance(error, Fenced | Unavailable)
                _log.warning("step failed", loop=self.name, error=str(error), exc_info=not expected)
                self.failure = f"{type(error).__name__}: {error}"
                self._failures.inc()
                longest = 0.5 if isinstance(error, Unavailable) else 2.0
                pause = 0.05 if isinstance(error, Fenced) else min(longest, max(0.1, pause * 2))
                self.pulse.beat()
                try:
                    self._recover()
                except Exception as failure:
                    _log.warning("recover failed", loop=self.name, error=repr(failure))
        try:
            self._close()
        except Exception as error:
            _log.warning("close failed", loop=self.name, error=repr(error))


@dataclass
class Process:
    """What `app.build` returns: everything that runs, in the order in which it is to be stopped."""

    name: str
    health: Health
    credentials: Credentials
    api: Any = None  # an ASGI application
    context: ssl.SSLContext | None = None  # for the API's listener; without one it is plain
    loops: Sequence[Loop] = ()
    background: Sequence[Callable[[], Awaitable[None]]] = ()  # started with the event loop, before the API
    drain: Sequence[Callable[[], Awaitable[None]]] = ()  # after the API has stopped and before the loops do
    close: Sequence[Callable[[], None]] = field(default_factory=tuple)  # at the very end
    switches: "Switches | None" = None  # the faults that may strike this process
    questions: Sequence[Question] = ()  # what the metrics want to know of a log, asked now and then


def run(process: Process, listening: Listening) -> None:
    """Run until told to stop. Returns after a complete drain."""
    _allow_many_connections()
    _calm_the_collector()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(process, listening))


def _allow_many_connections() -> None:
    """A connection is a file, and the usual soft limit is 1024 of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _calm_the_collector() -> None:
    """What the program is made of lives as long as it does: do not walk through it again and again. Aggregates are values
    without cycles, so that looking for some less often costs nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not made for this platform: the standard loop does the same, slower
        return None
    return uvloop.new_event_loop


async def _serve(process: Process, listening: Listening) -> None:
    if process.switches is not None:
        _burden(process, process.switches)
    vitals = Vitals(process.questions)
    if listening.metrics:
        vitals.start()
        process.api = process.api and Measured(process.api)
    if process.api is not None:
        process.api = TracedServer(process.api, edge=process.name == GATEWAY)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if listening.parent_fd is not None:
        loop.add_reader(listening.parent_fd, stop.set)  # readable at its end only: nobody ever writes to it
    for worker in process.loops:
        process.health.live[worker.name] = worker.pulse.check
        process.health.ready.setdefault(worker.name, worker.check)
        worker.start()
    process.health.ready["certificate"] = process.credentials.expired
    process.health.notes["certificate files"] = process.credentials.alarm
    await process.credentials.watch()
    for begin in process.background:
        await begin()
    admin = Server(probes.application(process.health), 1.0, None)
    servers = [(admin, socket_of(listening.admin_fd, listening.host, listening.admin_port))]
    if process.api is not None:
        api = Server(process.api, listening.drain_seconds, process.context)
        servers.append((api, socket_of(listening.api_fd, listening.host, listening.port)))
    serving = [asyncio.create_task(server.serve(sockets=[sock])) for server, sock in servers]
    _log.info("started", role=listening.role, pid=os.getpid())
    registration = _registration(process, listening, servers)
    if registration is not None:
        await registration.start()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *serving], return_when=asyncio.FIRST_COMPLETED)
    started = time.monotonic()
    process.health.draining = True
    if listening.parent_fd is not None:
        loop.remove_reader(listening.parent_fd)
    if registration is not None:
        await registration.leave()
    await _leave(servers[1:], listening.leave_seconds)
    await vitals.stop()
    await _drain(process, servers, serving)
    stopping.cancel()
    _log.info("stopped", seconds=round(time.monotonic() - started, 3))


def _burden(process: Process, switches: "Switches") -> None:
    """Let faults strike what the process serves, and the process itself."""
    from common.faults.burden import Burden
    from common.faults.serving import FaultyServer

    burden = Burden(switches)
    process.loops = (*process.loops, Loop("faults", burden.step, wake=burden.wake))
    if process.api is not None:
        process.api = FaultyServer(process.api, switches)


def _registration(
    process: Process, listening: Listening, servers: Sequence[tuple[Server, socket.socket]]
) -> "Registration | None":
    """An API says where it is, when there is somebody to tell. A restart at the same address is the same instance."""
    if listening.registry_url is None or process.api is None:
        return None
    from common.discovery import Endpoint  # here, because it brings a client along, which not every service needs
    from common.discovery.registration import Registration

    host, port = servers[1][1].getsockname()[:2]
    scheme = "https" if process.context else "http"
    address = listening.advertised or f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def endpoint() -> Endpoint:
        return Endpoint(address, listening.zone, ready=not any(process.health.readyz().values()))

    instance = address.partition("://")[2]
    return Registration(listening.registry_url, process.name, instance, endpoint, process.credentials)


async def _leave(servers: Sequence[tuple[Server, socket.socket]], seconds: float) -> None:
    for server, _ in servers:
        server.leave()
    if servers:
        await asyncio.sleep(seconds)


async def _drain(
    process: Process, servers: Sequence[tuple[Server, socket.socket]], serving: Sequence[asyncio.Task[None]]
) -> None:
    for server, _ in servers[1:]:
        server.should_exit = True
    await asyncio.gather(*serving[1:], return_exceptions=True)
    for finish in process.drain:
        await finish()
    for worker in process.loops:
        worker.stop()
    for worker in process.loops:
        if not await asyncio.to_thread(worker.join, 10.0):
            _log.error("loop did not end", loop=worker.name)
    servers[0][0].should_exit = True
    await asyncio.gather(serving[0], return_exceptions=True)
    for let_go in process.close:
        let_go()
