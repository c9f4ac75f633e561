"""Spans of HTTP, both ends of it, named and labelled as OpenTelemetry's semantic conventions have it (HTTP, 1.23 and later).

A trace begins where a request comes in from outside. Between services there are spans for what belongs to one: nobody wants a
trace of every heartbeat.
"""

import time
from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import tracecontext
from common.telemetry import traces

if TYPE_CHECKING:
    import aiohttp  # not every service is a client

_log = structlog.get_logger("request")


class TracedServer:
    """An ASGI application, each request under a span of its own. `edge`: who has no trace yet gets one here."""

    def __init__(self, app: ASGIApp, *, edge: bool) -> None:
        self._app = app
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        asked = {"http.request.method": method, "url.scheme": scope["scheme"]}
        span = traces.start(method, "server", tracecontext.sent(scope), asked, root=self._edge)
        tracecontext.enter(tracecontext.decide(scope, span.traceparent or tracecontext.new(sampled=False)))
        begun, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except BaseException as error:
            span.fail(type(error).__name__)
            raise
        finally:
            route = str(getattr(scope.get("route"), "path", ""))
            if span.recorded:
                _answered(span, scope, route, status)
                span.finish()
            tell = _log.info if self._edge and method not in ("GET", "HEAD") else _log.debug
            took = round((time.perf_counter() - begun) * 1000, 1)
            tell("answered", method=method, route=route, status=status, ms=took)


def _answered(span: traces.Span, scope: Scope, route: str, status: int) -> None:
    """The path only where there is such a route: what a stranger writes there otherwise is nothing to keep."""
    if route:
        span.name = f"{scope['method']} {route}"
        span.set({"http.route": route, "url.path": scope["path"]})
    if order := tracecontext.doing().order:
        span.set({traces.ORDER: order})
    if status:
        span.set({"http.response.status_code": status})
    if status >= 500:
        span.fail(str(status))


def traced_client(upstream: str) -> "aiohttp.ClientMiddlewareType":
    """`ClientSession(middlewares=(traced_client("order"), …))`: around each attempt; the callee's span is a child of it."""

    async def attempt(
        request: "aiohttp.ClientRequest", handler: "aiohttp.ClientHandlerType"
    ) -> "aiohttp.ClientResponse":
        doing = tracecontext.doing()
        asked: traces.Attributes = {
            "http.request.method": request.method,
            "server.address": request.url.host or "",
            "server.port": request.url.port or 0,
            "url.full": str(request.url),
        }
        parent = request.headers.get("traceparent") or doing.traceparent
        span = traces.start(f"{request.method} {upstream}", "client", parent, asked)
        if span.traceparent:
            request.headers["traceparent"] = span.traceparent
        try:
            response = await handler(request)
            span.set({"http.response.status_code": response.status})
            if response.status >= 400:
                span.fail(str(response.status))
            return response
        except BaseException as error:
            span.fail(type(error).__name__, str(error))
            raise
        finally:
            if span.recorded and doing.order:
                span.set({traces.ORDER: doing.order})
            span.finish()

    return attempt
