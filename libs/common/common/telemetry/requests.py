"""Counts and times what a service is asked, by route: rate, errors, duration, with the trace of a request as exemplar."""

import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import tracecontext
from common.telemetry.metrics import HTTP_IN_WORK, HTTP_REQUESTS, HTTP_SECONDS

_requests = lru_cache(1000)(HTTP_REQUESTS.labels)  # as much as all the rest, for each request
_seconds = lru_cache(1000)(HTTP_SECONDS.labels)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Around a whole application, so that what it refuses counts as well. Streams are timed until they begin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_work = 0
        HTTP_IN_WORK.set_function(lambda: self._in_work)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, code = time.perf_counter(), "none"

        async def answer(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = str(message["status"])
                if not _waits(scope):
                    _time(scope, time.perf_counter() - begun)
            await send(message)

        self._in_work += 1
        try:
            await self._app(scope, receive, answer)
        finally:
            self._in_work -= 1
            _requests(_route(scope), _method(scope), code).inc()


def exemplar(traceparent: str) -> dict[str, str] | None:
    """What leads from a bucket of a histogram to one trace that is in it, if anybody keeps that."""
    return {"trace_id": tracecontext.trace_id(traceparent)} if tracecontext.sampled(traceparent) else None


def _time(scope: MutableMapping[str, Any], seconds: float) -> None:
    _seconds(_route(scope), _method(scope)).observe(seconds, exemplar(tracecontext.of(scope)))


def _route(scope: MutableMapping[str, Any]) -> str:
    """Its template: what callers put into a path must not become series."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _method(scope: MutableMapping[str, Any]) -> str:
    return str(scope["method"]) if scope["method"] in _METHODS else "other"


def _waits(scope: MutableMapping[str, Any]) -> bool:
    return any(name == b"prefer" and b"wait" in value for name, value in scope["headers"])
