"""The inventory service's HTTP API: each route says what it takes, whom it serves, and which status an answer has."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from common import json_body, parameters, tracecontext
from common.application import Application
from common.consistency import Asked, Token
from common.contracts.api import ProductBody, ReceiptBody
from common.problems import Problem
from common.resilience import deadline
from common.respond import as_json, versioned
from common.security.identity import caller_of
from inventory.changes import Changes
from inventory.queries import Queries, shown
from inventory.stocking import Stocking


def build(stocking: Stocking, queries: Queries, changes: Changes) -> FastAPI:
    app = Application("inventory")
    deadline.install(app)

    @app.get("/v1/products")
    async def page(request: Request) -> Response:
        found = await queries.page(parameters.cursor(request), parameters.limit(request), Asked.by(request))
        return as_json(found, headers={"Cache-Control": "private, max-age=1"})

    @app.get("/v1/products/{sku}")
    async def show(request: Request) -> Response:
        view = await queries.product(parameters.sku(request), Asked.by(request))
        return versioned(request, shown(view), view.version, "private, max-age=1")

    @app.put("/v1/products/{sku}")
    async def put(request: Request) -> Response:
        sku = parameters.sku(request)
        body = await json_body.parse(request, ProductBody)
        return await _done(sku, await stocking.put(sku, body, caller_of(request), tracecontext.of(request.scope)))

    @app.post("/v1/products/{sku}/receipts")
    async def receive(request: Request) -> Response:
        sku = parameters.sku(request)
        key = parameters.idempotency_key(request)
        body = await json_body.parse(request, ReceiptBody)
        caller, trace = caller_of(request), tracecontext.of(request.scope)
        return await _done(sku, await stocking.receive(sku, body, key, caller, trace, Asked.by(request)))

    @app.get("/internal/catalog/changes")
    async def follow(request: Request) -> Response:
        stream = changes.stream()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _done(sku: str, token: Token | None) -> Response:
        """The product as it is now; 202 with its name alone when the read model is late."""
        headers = {"Location": f"/v1/products/{sku}"}
        if token is not None:
            headers["Consistency-Token"] = str(token)
        try:
            view = await queries.product(sku, Asked(token))
        except Problem as late:
            if late.status != 503:
                raise
            return as_json({"sku": sku}, 202, headers)
        return as_json(shown(view), 200, {**headers, "ETag": f'"{view.version}"'})

    return app
