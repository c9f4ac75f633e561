"""Carries a request that was let in to its service, and the answer back.

Nothing goes through by itself: the request is made anew of what its route takes, with the caller's identity as the gateway
has verified it, in a token for that service (J10), and only known headers come back. The body goes as it came; its service
reads it, once.
"""

import re
from collections.abc import Mapping
from contextlib import nullcontext
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common import json_body, parameters, problems, tracecontext
from common.http_client import Answer, Stream, Upstream
from common.problems import Problem
from common.security.hop import Minter
from common.security.identity import Identity
from common.topology import INVENTORY
from gateway.catalog import Catalog
from gateway.routes import Route
from gateway.shedding import Edge

_BACK = (
    "Content-Type",
    "ETag",
    "Location",
    "Consistency-Token",
    "Retry-After",
    "Cache-Control",
    "Preference-Applied",
)
_printable = re.compile(r"[ -~]{1,1000}").fullmatch
_PATH = {"order_id": parameters.order_id, "sku": parameters.sku}


class Proxy:
    """`edges`: those before the upstreams that have one. `catalog`: what need not be asked of the inventory each time."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        edges: Mapping[str, Edge],
        minter: Minter,
        catalog: Catalog | None = None,
    ) -> None:
        self._upstreams = upstreams
        self._minter = minter
        self._edges = edges
        self._catalog = catalog

    async def forward(self, route: Route, request: Request, caller: Identity) -> Response:
        """Raises `Problem` for what the route does not take, Unavailable when its service gives no answer in time."""
        path = _target(route, request)
        headers, waits = _headers(route, request)
        headers |= self._minter.headers(caller, route.upstream)
        upstream = self._upstreams[route.upstream]
        if route.streamed:
            stream = await upstream.stream(path, headers)
            return Relay(stream) if stream.status == 200 else _back(await stream.read())
        body = b""
        if route.body is not None:
            json_body.require_json(request)
            body = await json_body.read(request)
            headers["Content-Type"] = "application/json"
        edge = self._edges.get(route.upstream) if not waits else None

        async def ask() -> Answer:
            async with edge.admitted() if edge else nullcontext():
                return await upstream.request(
                    route.method, path, headers, body, waits=waits, repeatable=route.repeatable
                )

        if self._catalog is None or route.upstream != INVENTORY:
            return _back(await ask())
        if route.method != "GET":
            return _back(await self._catalog.write(path.removesuffix("/receipts"), ask))
        found = await self._catalog.read(request, path, ask)
        return found if isinstance(found, Response) else _back(found)

    async def close(self) -> None:
        if self._catalog is not None:
            await self._catalog.close()
        for upstream in self._upstreams.values():
            await upstream.close()


class Relay(StreamingResponse):
    """Reads on only when the caller has taken what there was; a caller that leaves closes the stream behind it too."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream.chunks(), headers={**_kept(stream.headers), "X-Accel-Buffering": "no"})
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.close()


def _target(route: Route, request: Request) -> str:
    path = route.path
    for name in route.parameters:
        path = path.replace(f"{{{name}}}", _PATH[name](request))  # their forms leave nothing to escape
    if not route.paged:
        return path
    cursor = parameters.cursor(request)
    return f"{path}?limit={parameters.limit(request)}" + (f"&cursor={quote(cursor, safe='')}" if cursor else "")


def _headers(route: Route, request: Request) -> tuple[dict[str, str], int]:
    """What the service is told, and the seconds it was asked to wait for the outcome."""
    headers = {"traceparent": tracecontext.of(request.scope)}
    wait = parameters.wait(request.headers) if route.waits else 0
    if token := parameters.consistency_token(request):
        headers["Consistency-Token"] = token
    if level := parameters.consistency_level(request):
        headers["Consistency-Level"] = level
    key = (parameters.idempotency_key if route.keyed else parameters.optional_idempotency_key)(request)
    if key is not None:
        headers["Idempotency-Key"] = key
    if wait:
        headers["Prefer"] = f"wait={wait}"
    if route.tagged and (tag := request.headers.get("if-none-match")) and _printable(tag):
        headers["If-None-Match"] = tag
    return headers, wait


def _back(answer: Answer) -> Response:
    if answer.status >= 400 and answer.headers.get("Content-Type") != problems.MEDIA_TYPE:
        raise Problem(502, "bad-gateway", "The service behind this address answered out of turn.")
    return Response(answer.body, answer.status, _kept(answer.headers))


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name in _BACK if (value := headers.get(name)) is not None}
    kept.setdefault("Cache-Control", "no-store")
    return kept
