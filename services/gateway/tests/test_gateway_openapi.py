"""The document says what is served, and the table's promises are in it. See tests/security/test_api.py for A8."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from common.security import policy
from gateway.routes import ROUTES
from gateway.testing import Edge, edge


@pytest.fixture
async def gateway() -> AsyncIterator[Edge]:
    async with edge() as it:
        yield it


async def document(gateway: Edge) -> Any:
    reply = await gateway.address.request("GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return reply.json()


def operations(found: Any) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, item in found["paths"].items() for method in item}


async def test_the_public_API_is_there_exactly(gateway: Edge) -> None:
    assert operations(await document(gateway)) == {
        ("POST", "/v1/orders"),
        ("GET", "/v1/orders"),
        ("GET", "/v1/orders/{order_id}"),
        ("GET", "/v1/orders/{order_id}/timeline"),
        ("GET", "/v1/orders/{order_id}/stream"),
        ("POST", "/v1/orders/{order_id}/cancellation"),
        ("GET", "/v1/products"),
        ("GET", "/v1/products/{sku}"),
        ("PUT", "/v1/products/{sku}"),
        ("POST", "/v1/products/{sku}/receipts"),
        ("GET", "/v1/payments/{order_id}"),
        ("GET", "/v1/audit"),
        ("POST", "/oauth/token"),
        ("POST", "/oauth/revoke"),
        ("GET", "/oauth/authorize"),
        ("POST", "/oauth/authorize"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/openapi.json"),
    }


async def test_every_reference_in_it_leads_somewhere_and_every_shape_is_used(gateway: Edge) -> None:
    found = await document(gateway)
    used: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                used.add(value["$ref"].removeprefix("#/components/schemas/"))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(found)
    assert used == set(found["components"]["schemas"])


async def test_every_operation_declares_its_refusals_as_problems_and_its_roles(gateway: Edge) -> None:
    found = await document(gateway)
    for route in ROUTES:
        operation = found["paths"][route.path][route.method.lower()]
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]
        assert {"401", "403", "422", "429", "503"} <= set(operation["responses"])
        assert {role for entry in operation["security"] for role in entry["oauth"]} == set(policy.roles_for(route.name))


async def test_with_an_outside_issuer_the_built_in_one_is_neither_served_nor_documented() -> None:
    async with edge(oidc_issuer="http://127.0.0.1:1/realm") as gateway:
        found = operations(await document(gateway))
        assert ("POST", "/oauth/token") not in found
        assert ("GET", "/.well-known/jwks.json") not in found
        assert (await gateway.address.request("POST", "/oauth/token")).status == 404
