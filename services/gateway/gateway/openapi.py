"""OpenAPI, derived from the table of routes: what it says is what is served (A8), every answer and refusal included."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from common.contracts import api
from common.parameters import LONGEST_WAIT
from common.problems import MEDIA_TYPE
from common.security import policy
from common.topology import GATEWAY
from gateway.routes import ROUTES, Route

_SHAPES = "#/components/schemas/"
_STRING = {"type": "string"}
_EVENT = {  # each of a stream, as OpenAPI 3.2 has it
    "type": "object",
    "required": ["event", "data"],
    "properties": {"event": {"enum": ["entry", "order", "end"]}, "data": _STRING, "id": _STRING},
}
_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_PARAMETERS = {"order_id": api.ORDER_ID, "sku": api.SKU}
_ALWAYS = frozenset({400, 401, 403, 408, 422, 429, 431, 500, 502, 503})


def of_route(route: Route) -> dict[str, Any]:
    """Arguments of FastAPI's `add_api_route`."""
    refusals = set(_ALWAYS | route.refusals)
    refusals |= {404} if route.parameters else set()
    refusals |= {413, 415} if route.body else set()
    answers: dict[int, dict[str, Any]] = {
        status: {
            "content": {"application/json": {"schema": _shape(model)}},
            "headers": _answer_headers(route),
            "links": {name: {"operationId": name, "parameters": dict(at)} for name, at in route.leads_to.items()},
        }
        for status, model in route.answers.items()
    }
    if route.streamed:
        answers[200] = {"content": {"text/event-stream": {"schema": _EVENT}}}
    if route.tagged:
        answers[304] = {}
    extra: dict[str, Any] = {
        "parameters": list(_parameters(route)),
        "security": [{"oauth": [role]} for role in policy.roles_for(route.name)],
    }
    if route.body:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": _shape(route.body)}}}
    return {
        "name": route.name,
        "operation_id": route.name,
        "summary": route.summary,
        "tags": [route.upstream],
        "responses": _responses(answers, refusals),
        "status_code": 202 if 202 in answers else 200,
        "response_class": Response,
        "openapi_extra": extra,
    }


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in route.parameters:
        schema = {"type": "string", "pattern": _PARAMETERS[name]}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if route.paged:
        limit = {"type": "integer", "minimum": 1, "maximum": api.LARGEST_PAGE, "default": 50}
        yield {"name": "limit", "in": "query", "schema": limit}
        yield {"name": "cursor", "in": "query", "schema": _STRING, "description": "`next_cursor` of the page before"}
    if route.method != "GET":
        key = {"type": "string", "pattern": api.VISIBLE}
        yield {"name": "Idempotency-Key", "in": "header", "required": route.keyed, "schema": key}
    if route.waits:
        wait = f"`wait=N`: answer when the outcome is known, at the latest after N (up to {LONGEST_WAIT}) seconds"
        yield {"name": "Prefer", "in": "header", "schema": _STRING, "description": wait}
    if route.tagged:
        yield {"name": "If-None-Match", "in": "header", "schema": _STRING}
    if route.upstream == GATEWAY:  # answers from no read model
        return
    fresh = "The header of an earlier answer: this one will not be older"
    yield {"name": "Consistency-Token", "in": "header", "schema": _STRING, "description": fresh}
    if route.method == "GET" and not route.streamed:
        levels = {"type": "string", "enum": list(api.CONSISTENCY_LEVELS), "default": "session"}
        price = "`eventual`: at once; `session`: as the token says; `strong`: with all that was acknowledged before"
        yield {"name": "Consistency-Level", "in": "header", "schema": levels, "description": price}


def _answer_headers(route: Route) -> dict[str, Any]:
    names = ["ETag"] if route.tagged else []
    if route.method != "GET":
        names += ["ETag", "Location", "Consistency-Token"]
    if route.waits:
        names += ["Preference-Applied"]
    return {name: {"schema": _STRING} for name in names}


def _responses(answers: dict[int, dict[str, Any]], refusals: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    problem = {MEDIA_TYPE: {"schema": _shape(api.ProblemView)}}
    known = {status: {"content": dict(problem)} for status in sorted(refusals)}
    for status, answer in answers.items():  # a page where people are told, and a problem where programs are
        known[status] = {**answer, "content": {**known.get(status, {}).get("content", {}), **answer.get("content", {})}}
    return {status: {"description": HTTPStatus(status).phrase, **response} for status, response in known.items()}


def _shape(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _SHAPES + model.__name__}


def plain(
    name: str,
    summary: str,
    refusals: Iterable[int] = (),
    answers: Mapping[int, dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Arguments of FastAPI's `add_api_route` for what is in no table. `answers`: other ones than a JSON object."""
    told = dict(answers or {200: {"content": _OBJECT}})
    return {
        "name": name,
        "operation_id": name,
        "summary": summary,
        "responses": _responses(told, {400, 408, 431, 500, *refusals}),
        "status_code": min(told),
        "response_class": Response,
        "openapi_extra": more,
    }


DOCUMENT = plain("openapi", "This document")


def discovered(issuer: str) -> dict[str, Any]:
    """The security scheme of an issuer that tells by itself how to get a token."""
    place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    return {"type": "openIdConnect", "openIdConnectUrl": place}


def add(app: FastAPI, tokens: Mapping[str, Any]) -> None:
    """Serve the document of all routes that `app` has now. `tokens`: the security scheme by which one gets them."""

    @app.get("/openapi.json", **DOCUMENT)
    async def document(_: Request) -> Response:
        return Response(encoded, media_type="application/json", headers={"Cache-Control": "no-cache"})

    models = {api.ProblemView} | {model for route in ROUTES for model in (route.body, *route.answers.values()) if model}
    _, shapes = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template=_SHAPES + "{model}",
    )
    described = app.openapi()
    described["components"] = {"schemas": shapes["$defs"], "securitySchemes": {"oauth": tokens}}
    encoded = msgspec.json.encode(described)
