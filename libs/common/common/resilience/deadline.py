"""A request's deadline: one instant, decided at the edge and kept by everything that is done for the request.

On the wire it is `Orderly-Deadline`, in milliseconds since 1970: absolute, so that time spent in queues and on the way counts
(Dean & Barroso, "The Tail at Scale", 2013). Inside a process it is the event loop's time, which never jumps. A callee
refuses a request that is too late to be of use, stops waiting for its log and its read model when the time is over (504: it may
or may not have happened), and asks others within what is left. The clocks of the two sides must agree to a fraction of it.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import problems
from common.problems import Problem

HEADER = "Orderly-Deadline"
LONGEST = 120.0  # seconds: what a caller may ask for at most

_NAME = HEADER.lower().encode()
_LATE = Problem(
    504, "deadline-exceeded", "There was no time left for this; it may or may not have happened. Ask again."
)
_ends: ContextVar[float] = ContextVar("deadline")  # on the event loop's clock


def within(seconds: float) -> float:
    """As many seconds, or what is left of the deadline that the current task works under."""
    ends = _ends.get(None)
    return seconds if ends is None else min(seconds, ends - asyncio.get_running_loop().time())


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """All that is asked of upstreams inside shares one deadline. It interrupts nothing by itself."""
    token = _ends.set(asyncio.get_running_loop().time() + within(seconds))
    try:
        yield
    finally:
        _ends.reset(token)


def header(seconds: float) -> str:
    """The instant `seconds` from now, as it goes over the wire."""
    return str(int((time.time() + seconds) * 1000))


def install(app: FastAPI) -> None:
    """Have a service keep its callers' deadlines. Only behind the gateway, which lets no such header in."""
    app.add_middleware(Kept)


class Kept:
    """Interrupts the application at the caller's deadline. An answer that has begun is finished: a stream has no deadline."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = _left(scope)
        if left is None:
            await self._app(scope, receive, send)
            return
        if left <= 0:
            await _refuse(scope, receive, send)
            return
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            timer.reschedule(None)
            await send(message)

        timer = asyncio.timeout(left)
        try:
            with limit(left):
                async with timer:
                    await self._app(scope, receive, answer)
        except TimeoutError:
            if begun or not timer.expired():
                raise
            await _refuse(scope, receive, send)


def _left(scope: Scope) -> float | None:
    if scope["type"] != "http":
        return None
    sent = next((value for name, value in scope["headers"] if name == _NAME), None)
    if sent is None or not sent.isdigit() or len(sent) > 15:
        return None
    return min(LONGEST, int(sent) / 1000 - time.time())


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    response = await problems.answer(Request(scope), _LATE)
    await response(scope, receive, send)
