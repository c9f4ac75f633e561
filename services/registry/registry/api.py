"""The registry's HTTP API: who is there says so, who asks may wait for news. Nobody says so for another."""

from typing import Annotated

from fastapi import FastAPI, Request, Response
from pydantic import Field, StringConstraints

from common import json_body
from common.application import Application
from common.contracts.api import Body
from common.discovery.port import Endpoint
from common.problems import Problem
from common.respond import as_json
from common.security import policy
from common.security.identity import SERVICE, Identity
from common.security.spiffe import peer_of
from registry.watching import Watching

LONGEST_WAIT = 30.0  # seconds

Seconds = Annotated[float, Field(gt=0, le=3600)]


class EndpointBody(Body):
    address: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._:\[\]-]{1,255}$")]
    zone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,63}$")] = ""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    ready: bool = True


class HeartbeatBody(Body):
    """`PUT /v1/services/{service}/{instance}`. `heartbeat` and `lease` in seconds."""

    endpoint: EndpointBody
    heartbeat: Seconds
    lease: Seconds


def build(watching: Watching) -> FastAPI:
    app = Application("registry")

    @app.put("/v1/services/{service}/{instance}")
    async def heartbeat(request: Request) -> Response:
        service, instance = request.path_params["service"], request.path_params["instance"]
        _only_itself(request, "register", service)
        body = await json_body.parse(request, HeartbeatBody)
        endpoint = Endpoint(**body.endpoint.model_dump())
        watching.heartbeat(service, instance, endpoint, body.heartbeat, body.lease)
        return Response(status_code=204)

    @app.delete("/v1/services/{service}/{instance}")
    async def leave(request: Request) -> Response:
        service, instance = request.path_params["service"], request.path_params["instance"]
        _only_itself(request, "leave", service)
        watching.leave(service, instance)
        return Response(status_code=204)

    @app.get("/v1/services/{service}")
    async def listing(request: Request) -> Response:
        service = request.path_params["service"]
        after = request.query_params.get("after", "")
        return as_json(await watching.listing(service, after, _wait(request.query_params.get("wait", "0"))))

    return app


def _only_itself(request: Request, action: str, service: str) -> None:
    peer = peer_of(request.scope)
    asking = Identity(f"{SERVICE}{peer.service if peer else 'nobody'}")
    policy.demand(asking, action, policy.Registration(service))


def _wait(text: str) -> float:
    if not text.isdigit() or len(text) > 4:
        raise Problem(422, "invalid-request", f"wait: seconds, at most {LONGEST_WAIT:g}.")
    return min(LONGEST_WAIT, float(text))
