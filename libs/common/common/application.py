"""A service's FastAPI application, in as few layers as it needs: every error is a problem, and an endpoint gets the request.

FastAPI describes the routes, for OpenAPI and for whoever guards them. What else it does for each request (injection, stacks of
resources to close, a body's limit, spans of its own) nobody here uses; it was two thirds of what a request cost.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import problems

_NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False}  # FastAPI's; ours is around the application


class Application(FastAPI):
    """No docs pages (they load scripts from elsewhere), no redirects (they repeat the Host that a caller sent)."""

    def __init__(self, title: str) -> None:
        super().__init__(
            title=title,
            version="1",
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            telemetry=_NO_TELEMETRY,  # type: ignore[arg-type]
        )
        self.router.route_class = _Plain

    def build_middleware_stack(self) -> ASGIApp:
        stack: ASGIApp = _Answered(self.router)
        for around, arguments, named in reversed(self.user_middleware):
            stack = around(stack, *arguments, **named)
        return stack


class _Plain(APIRoute):
    """Raises TypeError, when it is made, for an endpoint that wants anything but the request."""

    def __init__(self, path: str, endpoint: Callable[[Request], Awaitable[Response]], **named: Any) -> None:
        super().__init__(path, endpoint, **named)
        if len(inspect.signature(endpoint).parameters) != 1:
            raise TypeError(f"{path}: an endpoint takes the request, and nothing else")

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = served


class _Answered:
    """An error that comes too late to be answered cuts the connection: it is raised."""

    def __init__(self, inside: ASGIApp) -> None:
        self._inside = inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._inside(scope, receive, answer)
        except Exception as error:
            if begun:
                raise
            response = await problems.answer(Request(scope, receive), error)
            await response(scope, receive, send)
