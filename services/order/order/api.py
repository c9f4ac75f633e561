"""The order service's HTTP API: each route says what it takes, whom it serves, and which status an answer has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from common import json_body, parameters, tracecontext
from common.application import Application
from common.consistency import Asked
from common.contracts.api import PlaceOrderBody
from common.errors import Unavailable
from common.resilience import deadline
from common.respond import as_json, versioned
from common.security import policy
from common.security.identity import Identity, caller_of
from common.security.vault import Vault
from order.placing import Accepted, Placing, refuse_if_too_late
from order.projection import OrderView
from order.queries import Queries, delivery, shown, thing

LONGEST_STREAM = 300.0  # seconds; a client that wants more connects again
HEARTBEAT = 10.0
LOOK_AGAIN = 0.5


def build(placing: Placing, queries: Queries, vault: Vault) -> FastAPI:
    app = Application("order")
    deadline.install(app)

    @app.post("/v1/orders", status_code=202)
    async def place(request: Request) -> Response:
        key = parameters.idempotency_key(request)
        body = await json_body.parse(request, PlaceOrderBody)
        caller, trace = caller_of(request), tracecontext.of(request.scope)
        accepted = await placing.place(body, key, caller, trace, Asked.by(request).token)
        return await _outcome(accepted, parameters.wait(request.headers))

    @app.get("/v1/orders")
    async def page(request: Request) -> Response:
        customer, cursor, limit = caller_of(request).subject, parameters.cursor(request), parameters.limit(request)
        return as_json(await queries.page(customer, cursor, limit, Asked.by(request)))

    @app.get("/v1/orders/{order_id}")
    async def show(request: Request) -> Response:
        caller = caller_of(request)
        view = await _own(request, caller, "show_order")
        told = delivery(view, caller, vault)
        tag = (
            f"{view.version}-erased" if told and told["erased"] else str(view.version)
        )  # not the copy that a client still has
        return versioned(request, {**shown(view), "delivery": told}, tag, "private, no-cache")

    @app.get("/v1/orders/{order_id}/timeline")
    async def timeline(request: Request) -> Response:
        view = await _told(request, "show_timeline")
        return as_json({"order_id": view.order_id, "entries": await queries.timeline(view.order_id)})

    @app.get("/v1/orders/{order_id}/stream")
    async def stream(request: Request) -> Response:
        view = await _told(request, "stream_timeline")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(queries, view.order_id), media_type="text/event-stream", headers=headers)

    @app.post("/v1/orders/{order_id}/cancellation", status_code=202)
    async def cancel(request: Request) -> Response:
        parameters.optional_idempotency_key(request)  # the order itself makes a repeated cancellation one
        order_id = parameters.order_id(request)
        accepted = await placing.cancel(order_id, caller_of(request), tracecontext.of(request.scope), Asked.by(request))
        answer = await _outcome(accepted, wait := parameters.wait(request.headers))
        with suppress(Unavailable):
            if wait and (view := await queries.find(order_id)) is not None:
                refuse_if_too_late(view)  # it was confirmed before the cancellation was decided upon
        return answer

    async def _own(request: Request, caller: Identity, action: str) -> OrderView:
        """The order, for the caller to do that; what was accepted here and is in no read model yet is shown as accepted."""
        order_id = parameters.order_id(request)
        recent = await placing.known(order_id)
        asked = Asked.by(request)
        if recent is not None and not asked.waits and policy.allows(caller, action, thing(recent.view)):
            return recent.view
        return await queries.order(order_id, caller, asked, action)

    async def _told(request: Request, action: str) -> OrderView:
        """The same, as soon as there is something to tell of it."""
        caller = caller_of(request)
        view = await _own(request, caller, action)
        if view.version == 0 and (recent := await placing.known(view.order_id)) and recent.token:
            return await queries.order(view.order_id, caller, Asked(recent.token), action)
        return view

    async def _outcome(accepted: Accepted, wait: int) -> Response:
        view = accepted.view
        headers = {"Location": f"/v1/orders/{view.order_id}"}
        if accepted.token is not None:
            headers["Consistency-Token"] = str(accepted.token)
        if wait:
            headers["Preference-Applied"] = f"wait={wait}"
            with suppress(Unavailable):  # accepted it is, whether or not its outcome can be seen
                view = await queries.final(view.order_id, wait) or view
        headers["ETag"] = f'"{view.version}"'
        return as_json(shown(view), 200 if wait and view.final else 202, headers)

    return app


async def _events(queries: Queries, order_id: str) -> AsyncIterator[bytes]:
    """Server-sent events: `entry` for each line of the timeline, `order` for each new version, `end` when nothing more
    will come. A comment now and then keeps the connection alive, also while there is no read model to look at."""
    told: set[bytes] = set()
    version = 0
    ends = asyncio.get_running_loop().time() + LONGEST_STREAM
    while asyncio.get_running_loop().time() < ends:
        try:
            view, entries = await queries.find(order_id), await queries.timeline(order_id)
        except Unavailable:
            yield b": waiting\n\n"
            await asyncio.sleep(LOOK_AGAIN)
            continue
        for entry in entries:
            line = msgspec.json.encode(entry)
            if line not in told:
                told.add(line)
                yield b"event: entry\ndata: " + line + b"\n\n"
        if view is not None and view.version > version:
            version = view.version
            yield b"event: order\nid: %d\ndata: %b\n\n" % (version, msgspec.json.encode(shown(view)))
        if view is not None and view.settled:
            yield b"event: end\ndata: {}\n\n"
            return
        yield b": waiting\n\n"
        await queries.changed(order_id, HEARTBEAT)
