"""The declared call graph and the routes that are served are the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

import inventory.api
import order.api
import payment.api
import provider.api
import registry.api
from common.security import callgraph, gate
from common.testing.certificates import Certificates
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT, PROVIDER, REGISTRY
from gateway.catalog import CHANGES
from gateway.routes import ROUTES

nothing: Any = None  # the routes are looked at, never asked

BUILD: Mapping[str, Callable[[], Starlette]] = {
    ORDER: lambda: order.api.build(nothing, nothing, nothing),
    PAYMENT: lambda: payment.api.build(nothing),
    INVENTORY: lambda: inventory.api.build(nothing, nothing, nothing),
    PROVIDER: lambda: provider.api.build(nothing),
    REGISTRY: lambda: registry.api.build(nothing),
}
SERVICES = {name: build() for name, build in BUILD.items()}


def served(app: Starlette) -> set[str]:
    assert all(isinstance(route, Route) for route in app.routes)
    routes = [route for route in app.routes if isinstance(route, Route)]
    return {f"{method} {route.path}" for route in routes for method in route.methods or () if method != "HEAD"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_served_route_has_a_declared_caller_and_every_declared_route_is_served(service: str) -> None:
    declared = {route for (_, callee), routes in callgraph.CALLS.items() if callee == service for route in routes}
    assert served(SERVICES[service]) == declared


@pytest.mark.parametrize("service", [ORDER, PAYMENT, INVENTORY])
def test_the_gateway_may_ask_for_what_its_own_routes_lead_to_and_for_nothing_else(service: str) -> None:
    led_to = {f"{route.method} {route.path}" for route in ROUTES if route.upstream == service}
    listened_to = {f"GET {CHANGES}"} if service == INVENTORY else set()
    assert led_to | listened_to == set(callgraph.CALLS[GATEWAY, service])


def test_nobody_asks_the_gateway_from_inside() -> None:
    assert not callgraph.neighbours(GATEWAY)


@pytest.mark.parametrize(
    "routes",
    [
        [Route("/v1/secrets", lambda request: nothing)],
        [Route("/v1/products/{sku}", lambda request: nothing, methods=["DELETE"])],
        [Mount("/v1", routes=[])],
    ],
    ids=["undeclared", "undeclared method", "mounted"],
)
def test_a_service_with_a_route_that_nobody_is_declared_to_call_cannot_be_built(
    routes: Sequence[Any], certificates: Certificates
) -> None:
    with pytest.raises(ValueError, match="call graph"):
        gate.enforce(Starlette(routes=routes), certificates.credentials(INVENTORY))
