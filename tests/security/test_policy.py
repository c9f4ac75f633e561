"""Every route of every service is an action of the policies; one that is none cannot be served."""

import re
from typing import Any

import pytest
from fastapi import FastAPI

from common.security import gate, policy
from common.security.policy.actions import ACTIONS
from common.testing.certificates import Certificates
from common.testing.http import called_by, serving
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT
from gateway.admission import Admission
from gateway.routes import ROUTES
from gateway.testing import edge
from tests.security.test_callgraph import BUILD, SERVICES, served

nothing: Any = None


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_of_a_service_is_an_action(service: str) -> None:
    assert served(SERVICES[service]) == set(ACTIONS[service])


@pytest.mark.parametrize("service", [ORDER, PAYMENT, INVENTORY])
async def test_a_route_that_people_are_behind_is_not_served_in_nobodys_name(
    service: str, certificates: Certificates
) -> None:
    app = gate.enforce(BUILD[service](), certificates.credentials(service))
    async with serving(called_by(GATEWAY, app)) as address:
        for route, action in ACTIONS[service].items():
            if action not in policy.INTERNAL:
                method, path = route.split(" ")
                assert (await address.request(method, re.sub("{.*}", "x", path))).status == 401, route


async def test_every_operation_in_the_gateways_openapi_is_an_action() -> None:
    async with edge() as gateway:
        found = (await gateway.address.request("GET", "/openapi.json")).json()
    operations = {
        f"{method.upper()} {path}": it for path, item in found["paths"].items() for method, it in item.items()
    }
    assert {route: it["operationId"] for route, it in operations.items() if "security" in it} == {
        route: action for route, action in ACTIONS[GATEWAY].items() if not policy.is_open(action)
    }
    assert set(operations) == set(ACTIONS[GATEWAY])


def test_a_route_of_the_public_api_is_the_action_of_its_name() -> None:
    for route in ROUTES:
        address = f"{route.method} {route.path}"
        assert policy.action_of(GATEWAY, address) == policy.action_of(route.upstream, address) == route.name


def test_a_service_with_a_route_that_is_no_action_cannot_be_built(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/v1/products/{sku}", lambda: None, methods=["DELETE"])
    monkeypatch.setattr("common.security.callgraph.callers", lambda callee, route: frozenset({GATEWAY}))
    with pytest.raises(ValueError, match=r"DELETE /v1/products/\{sku\} has no action"):
        gate.enforce(app, certificates.credentials(INVENTORY))


def test_a_gateway_with_a_route_that_is_no_action_cannot_be_built() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/v1/secrets", lambda: None)
    with pytest.raises(ValueError, match="GET /v1/secrets has no action"):
        Admission(nothing, None).guard(app)


async def test_a_gateway_that_serves_some_regions_takes_no_order_from_a_token_that_names_none() -> None:
    async with edge(regions="eu, uk") as gateway:
        reply = await gateway.place()
        assert (reply.status, reply.json()["detail"]) == (
            403,
            "Orders are taken from callers of the served regions alone.",
        )
        assert (await gateway.call("alice", "GET", "/v1/orders")).status == 200
