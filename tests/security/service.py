"""A service behind mutual TLS on a real socket, gated as the platform's are."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from common.security import gate, policy
from common.security.credentials import Credentials
from common.security.identity import CALLER, Identity
from common.security.spiffe import peer_of
from common.testing.http import serving


@dataclass
class Inventory:
    """Some routes of the real one. `asked` is by whom it was."""

    credentials: Credentials
    port: int = 0
    asked: list[str] = field(default_factory=list)

    def application(self) -> FastAPI:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

        @app.get("/v1/products/{sku}")
        async def show(request: Request, sku: str) -> PlainTextResponse:
            self.asked.append(str(peer_of(request.scope)))
            return PlainTextResponse(sku)

        @app.put("/v1/products/{sku}")
        async def put(request: Request, sku: str) -> PlainTextResponse:
            self.asked.append(str(peer_of(request.scope)))
            return PlainTextResponse(sku)

        @app.post("/v1/products/{sku}/receipts")
        async def receive(sku: str) -> PlainTextResponse:
            return PlainTextResponse(sku)

        return app

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/v1/products/tea"

    async def ask(self, caller: Credentials, method: str = "GET", meant: str = "inventory") -> tuple[int, str]:
        """Status and media type of the answer to one request on a connection of its own."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url, ssl=caller.client(meant)) as answer,
        ):
            await answer.read()
            return answer.status, answer.content_type


def in_somebodys_name(app: ASGIApp) -> ASGIApp:
    """As if the gateway had said, with each of its requests, that it is made for somebody who may do everything."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][CALLER] = Identity("olga", frozenset(policy.ROLES))
        await app(scope, receive, send)

    return named


@contextlib.asynccontextmanager
async def inventory(credentials: Credentials) -> AsyncIterator[Inventory]:
    found = Inventory(credentials)
    app = in_somebodys_name(gate.enforce(found.application(), credentials))
    async with serving(app, credentials.server()) as address:
        found.port = address.port
        yield found
