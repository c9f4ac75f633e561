"""The provider's HTTP API, as its merchants see it. The same Idempotency-Key gets the same answer, byte for byte."""

from typing import Annotated

from fastapi import FastAPI, Request, Response
from pydantic import Field, StringConstraints
from starlette.types import Receive, Scope, Send

from common import json_body, parameters, problems
from common.application import Application
from common.contracts.api import Body, Visible
from common.contracts.money import LARGEST_AMOUNT
from common.contracts.payment import Operation
from common.problems import Problem
from common.respond import as_json, cut
from provider.counter import Counter
from provider.domain import Instruction
from provider.ledger import KeyReused, Outage

OUTAGE = Problem(500, "outage", "the provider has a bad moment; nothing happened, try again")


class AuthorizationBody(Body):
    """`POST /v1/authorizations`."""

    reference: Visible
    amount: Annotated[int, Field(ge=0, le=LARGEST_AMOUNT)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    token: Visible


class CutConnection(Response):
    """Instead of an answer: the merchant will never know by itself whether it happened."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await cut(receive)


class Api:
    """One method per route."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def authorize(self, request: Request) -> Response:
        key = parameters.idempotency_key(request)
        body = await json_body.parse(request, AuthorizationBody)
        return await self._perform(
            Instruction(key, "authorize", body.reference, body.amount, body.currency, body.token)
        )

    async def capture(self, request: Request) -> Response:
        return await self._perform(_about_known(request, "capture"))

    async def void(self, request: Request) -> Response:
        return await self._perform(_about_known(request, "void"))

    async def refund(self, request: Request) -> Response:
        return await self._perform(_about_known(request, "refund"))

    async def operation(self, request: Request) -> Response:
        entry = await self._counter.find(request.path_params["key"])
        if entry is None:
            raise Problem(404, "not-found", "no operation was done or declined under this key")
        return as_json(entry)

    async def ledger(self, request: Request) -> Response:
        limit = parameters.limit(request)
        entries = await self._counter.page(_after(request), limit)
        more = str(entries[-1].seq) if len(entries) == limit else None
        return as_json({"items": entries, "next_cursor": more})

    async def _perform(self, instruction: Instruction) -> Response:
        try:
            outcome = await self._counter.perform(instruction)
        except KeyReused:
            detail = "this Idempotency-Key named another operation before"
            raise Problem(422, "idempotency-key-reused", detail) from None
        except Outage:  # planned, so no error of ours to be logged
            return Response(OUTAGE.body(""), OUTAGE.status, media_type=problems.MEDIA_TYPE)
        return CutConnection() if outcome.lost else as_json(outcome.entry)


def build(counter: Counter) -> FastAPI:
    app = Application("provider")
    api = Api(counter)
    app.post("/v1/authorizations")(api.authorize)
    app.post("/v1/authorizations/{reference}/capture")(api.capture)
    app.post("/v1/authorizations/{reference}/void")(api.void)
    app.post("/v1/authorizations/{reference}/refund")(api.refund)
    app.get("/v1/operations/{key:path}")(api.operation)
    app.get("/v1/ledger")(api.ledger)
    return app


def _about_known(request: Request, operation: Operation) -> Instruction:
    return Instruction(parameters.idempotency_key(request), operation, request.path_params["reference"])


def _after(request: Request) -> int:
    cursor = parameters.cursor(request)
    if cursor and not (cursor.isdecimal() and len(cursor) <= 18):
        raise parameters.invalid_cursor()
    return int(cursor or 0)
