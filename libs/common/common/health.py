"""Is it alive, is it ready, has it started: named checks that mean something, and metrics, on a plain port of their own.

    /livez     the process can still make progress: a failure means "restart me"
    /readyz    it can serve now: a failure means "send nobody to me", for as long as it lasts
    /startupz  it has restored what it needs; after that it never fails again
    /metrics   what it counts, for Prometheus (in OpenMetrics where that is asked for): see telemetry/metrics.py

A check is a function that returns None when all is well, else what is wrong. Those of /livez never wait. The others may ask a
broker that is away, so they run in a thread, and only once however many ask.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import prometheus_client.exposition
import structlog

Probe = Callable[[], str | None]

_log = structlog.get_logger("health")


@dataclass
class Health:
    """The checks of one process. `draining` makes it unready, whatever the checks say. `notes` are shown beside the checks of
    readiness when there is something to say, and make nothing unready: somebody is to look at it while all still works."""

    live: dict[str, Probe] = field(default_factory=dict)
    ready: dict[str, Probe] = field(default_factory=dict)
    notes: dict[str, Probe] = field(default_factory=dict)
    draining: bool = False
    started: bool = False

    def livez(self) -> dict[str, str | None]:
        return _run(self.live)

    def readyz(self) -> dict[str, str | None]:
        found = _run(self.ready)
        if self.draining:
            found["draining"] = "this process is about to end"
        self.started = self.started or not any(found.values())
        return found

    def startupz(self) -> dict[str, str | None]:
        return {} if self.started else self.readyz()


def _run(probes: dict[str, Probe]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, probe in probes.items():
        try:
            found[name] = probe()
        except Exception as error:  # a check that cannot look has seen nothing good
            _log.warning("check failed", check=name, error=repr(error))
            found[name] = f"cannot be checked: {type(error).__name__}"
    return found


class Pulse:
    """The heartbeat of a loop that must never hang: `beat` in the loop, `check` in the probe."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._last = time.monotonic()

    def beat(self) -> None:
        self._last = time.monotonic()

    def check(self) -> str | None:
        silent = time.monotonic() - self._last
        return f"no progress for {silent:.0f} s" if silent > self._longest else None


_NOT_FOUND = b'{"type":"about:blank","title":"Not Found","status":404}'

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


def application(health: Health) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application of the plain port: the three probes, the metrics, and nothing else (T13)."""
    slow = {"/readyz": _Shared(health.readyz), "/startupz": _Shared(health.startupz)}

    async def admin(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"] if scope["method"] in ("GET", "HEAD") else None
        if path == "/metrics":
            status, kind, body = _metrics(scope["headers"])
        elif path == "/livez":
            status, kind, body = _verdict(health.livez(), {})
        elif path in slow:
            noted = _run(health.notes) if path == "/readyz" else {}
            status, kind, body = _verdict(await slow[path](), noted)
        else:
            status, kind, body = 404, "application/problem+json", _NOT_FOUND
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return admin


class _Shared:
    """Who asks while the checks are running hears what these find."""

    def __init__(self, checks: Callable[[], dict[str, str | None]]) -> None:
        self._checks = checks
        self._running: asyncio.Task[dict[str, str | None]] | None = None

    async def __call__(self) -> dict[str, str | None]:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(asyncio.to_thread(self._checks))
        return await asyncio.shield(self._running)


def _verdict(checks: dict[str, str | None], noted: dict[str, str | None]) -> tuple[int, str, bytes]:
    status = 503 if any(checks.values()) else 200
    verdict = "ok" if status == 200 else "failing"
    shown = {name: reason or "ok" for name, reason in checks.items()}
    notes = {name: note for name, note in noted.items() if note}
    return status, "application/json", msgspec.json.encode({"status": verdict, "checks": shown, "notes": notes})


def _metrics(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str, bytes]:
    accepted = b",".join(value for name, value in headers if name == b"accept")
    encode, kind = prometheus_client.exposition.choose_encoder(accepted.decode("latin-1"))
    return 200, kind, encode(prometheus_client.REGISTRY)
