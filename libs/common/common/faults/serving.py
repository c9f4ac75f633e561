"""Faults of the serving side of HTTP: around a service's application, outside of everything else."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from common import tracecontext
from common.faults.catalog import DROP, ERRORS, LATENCY, WRONG
from common.faults.switches import Switches
from common.problems import MEDIA_TYPE, Problem
from common.respond import cut

_INJECTED = Problem(503, "fault", "A fault switch refused this; nothing was done. Ask again.", {"Retry-After": "1"})
_OTHER_DIGITS = bytes.maketrans(b"123456789", b"987654321")  # a number stays a number


class FaultyServer:
    """An ASGI application that serves another one badly."""

    def __init__(self, app: ASGIApp, switches: Switches) -> None:
        self._app = app
        self._switches = switches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        switches = self._switches
        if latency := switches.amount(LATENCY):
            await asyncio.sleep(latency)
        if switches.strikes(ERRORS):
            await _refuse(scope, send)
        elif switches.strikes(DROP):
            await self._app(scope, receive, _nowhere)
            await cut(receive)
        elif switches.strikes(WRONG):
            await self._app(scope, receive, _lying(send))
        else:
            await self._app(scope, receive, send)


async def _nowhere(message: MutableMapping[str, Any]) -> None:
    """The answer is lost."""


def _lying(send: Send) -> Callable[[MutableMapping[str, Any]], Awaitable[None]]:
    async def lie(message: MutableMapping[str, Any]) -> None:
        if body := message.get("body"):
            message = {**message, "body": bytes(body).translate(_OTHER_DIGITS)}
        await send(message)

    return lie


async def _refuse(scope: Scope, send: Send) -> None:
    body = _INJECTED.body(tracecontext.trace_id(tracecontext.of(scope)))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"1"),
        (b"connection", b"close"),  # the request's body was not read
    ]
    await send({"type": "http.response.start", "status": _INJECTED.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
