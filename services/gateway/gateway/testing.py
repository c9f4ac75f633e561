"""The gateway on a real socket for tests, with small services on real sockets behind it that remember what they were told."""

import contextlib
import functools
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from joserfc.jwk import RSAKey
from pydantic import BaseModel

from common import json_body, parameters, runtime
from common.application import Application
from common.clock import system_clock
from common.contracts.api import PlaceOrderBody, ProductBody, ReceiptBody
from common.respond import as_json
from common.security import keyring
from common.security.gate import Named
from common.security.tokens import demo_secret
from common.testing.certificates import Certificates
from common.testing.http import Address, Reply, serving
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT
from gateway.app import build
from gateway.settings import Settings

ORDER_ID = "ord_" + "0123456789abcdef" * 2
PLACED = b'{"lines":[{"sku":"book","quantity":2}],"payment_token":"tok_ok"}'
PRODUCT = '{"name":"Büch","price":{"amount":1999,"currency":"EUR"}}'.encode()
RECEIPT = b'{"quantity":10}'
JSON = {"Content-Type": "application/json"}


@dataclass
class Service:
    """A stand-in for every service: it reads bodies as the real ones do, and answers with what a test has put into
    `answer`. `heard` is every request it got, with the caller in its state."""

    answer: Callable[[], Response] | None = None
    heard: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def forget(self) -> None:
        self.answer = None
        self.heard.clear()
        self.bodies.clear()

    def application(self) -> FastAPI:
        app = Application("everything")
        models: dict[str, type[BaseModel]] = {"/v1/orders": PlaceOrderBody, "receipts": ReceiptBody}

        @app.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
        async def everything(request: Request) -> Response:
            self.heard.append(request)
            if request.method != "GET" and not request.url.path.endswith("cancellation"):
                json_body.require_json(request)
                self.bodies.append(await json_body.read(request))
                path = request.url.path
                json_body.decode(self.bodies[-1], models.get(path) or models.get(path[-8:]) or ProductBody)
            return self.answer() if self.answer else as_json({"wait": parameters.wait(request.headers)})

        return app


@dataclass
class Edge:
    """The gateway's address and what stands behind it."""

    address: Address
    service: Service
    process: runtime.Process
    tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, client: str, secret: str | None = None) -> Reply:
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": demo_secret(client) if secret is None else secret,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.address.request("POST", "/oauth/token", headers, urlencode(form).encode())

    async def call(
        self, client: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """As `client`, with its token; JSON where there is a body."""
        if client not in self.tokens:
            self.tokens[client] = (await self.token(client)).json()["access_token"]
        bearer = {"Authorization": f"Bearer {self.tokens[client]}"}
        return await self.address.request(method, path, {**bearer, **(JSON if body else {}), **(headers or {})}, body)

    async def place(self, body: bytes = PLACED, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.call("alice", "POST", "/v1/orders", {"Idempotency-Key": "k1", **(headers or {})}, body)


@functools.cache
def _key() -> bytes:
    """Making a key takes long; the tests that are not about it share one."""
    with tempfile.TemporaryDirectory() as folder:
        keyring.make(Path(folder), 0)
        return (Path(folder) / "0.pem").read_bytes()


def signing_key() -> RSAKey:
    """The one that every gateway here signs with, unless it is given data of its own."""
    key = RSAKey.import_key(_key())
    key.ensure_kid()
    return key


@contextlib.asynccontextmanager
async def edge(inventory: FastAPI | None = None, **settings: object) -> AsyncIterator[Edge]:
    """A gateway before one stand-in service, and perhaps an `inventory`. `settings` replace the defaults."""
    service = Service()
    async with contextlib.AsyncExitStack() as opened:
        data = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        (data / "gateway" / "keys").mkdir(parents=True)
        (data / "gateway" / "keys" / f"{system_clock()}.pem").write_bytes(_key())
        certificates = Certificates(data / "certs")
        urls: dict[str, str] = {}
        for name in (ORDER, PAYMENT, INVENTORY):
            own = certificates.credentials(name)
            app = inventory if inventory is not None and name == INVENTORY else service.application()
            behind = await opened.enter_async_context(serving(Named(app, own), own.server()))
            urls[f"{name}_url"] = behind.url
        chosen = {
            "data": data,
            "certificates": certificates.publish(GATEWAY),
            "gateway_url": "http://gateway.test",
            "rate_limit": False,
            "catalog_reads": "off",
            **urls,
            **settings,
        }
        process = build(Settings(**chosen))  # type: ignore[arg-type]  # a test says what it wants
        address = await opened.enter_async_context(serving(process.api, process.context))
        try:
            yield Edge(address, service, process)
        finally:
            for close in process.drain:
                await close()
