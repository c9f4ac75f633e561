"""Each line of the checklist for the API, by its id: at the gateway as it runs, and where it takes more, on the whole platform.

A9, what a hostile provider answers, is in services/payment/tests/test_payment_provider.py; callers who keep connections busy
(A4) are in libs/common/tests/test_http_guard.py, and in test_listeners.py here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import StreamingResponse
from system import System
from target import Client

from common.contracts import api
from common.security import policy
from common.testing.http import read_reply
from gateway import app
from gateway.routes import ROUTES
from gateway.testing import JSON, ORDER_ID, PLACED, PRODUCT, RECEIPT, Edge, edge

pytestmark = [pytest.mark.asyncio(loop_scope="module", loop_factories=["uvloop"]), pytest.mark.timeout(120)]

WHO = {"customer": "alice", "operator": "operator", "auditor": "auditor"}
OPEN_ORDERS = 4
SAGA_PATIENCE = 2  # seconds


pytest_plugins = ["gateway.fixtures"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    settings = {
        "ORDERLY_RATE_LIMIT": "on",
        "ORDERLY_OPEN_ORDERS": str(OPEN_ORDERS),
        "ORDERLY_AUTHORIZE_SECONDS": str(SAGA_PATIENCE),
    }
    found = System(tmp_path_factory.mktemp("data"), settings=settings)
    found.up()
    try:
        yield found
    finally:
        found.down()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "REQUESTS_A_SECOND", 0.5)
    monkeypatch.setattr(app, "REQUESTS_AT_ONCE", 10)


async def document(gateway: Edge) -> Any:
    reply = await gateway.address.request("GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return reply.json()


@pytest.mark.process
async def test_a1_another_customers_order_is_answered_like_one_that_never_was(platform: System) -> None:
    await platform.once("tea", 100)
    async with platform.client("alice") as alice, platform.client("bob") as bob:
        order = await alice.place([("tea", 1)], wait=10)
        await alice.story(order["order_id"], until="PaymentCaptured")
        for method, path in [
            ("GET", "/v1/orders/{}"),
            ("GET", "/v1/orders/{}/timeline"),
            ("GET", "/v1/orders/{}/stream"),
            ("GET", "/v1/payments/{}"),
            ("POST", "/v1/orders/{}/cancellation"),
        ]:
            anothers, unknown = [
                await bob.call(method, path.format(order_id)) for order_id in (order["order_id"], ORDER_ID)
            ]
            assert anothers[0] == unknown[0] == 404, path
            assert {**anothers[1], "trace_id": ""} == {**unknown[1], "trace_id": ""}
        assert (await alice.order(order["order_id"]) or {})["status"] == "confirmed"


async def test_a2_a_client_that_is_too_fast_gets_429_with_retry_after_and_another_is_served(narrow: None) -> None:
    async with edge(rate_limit=True) as gateway:
        await gateway.call("bob", "GET", "/v1/orders")
        await gateway.call("alice", "GET", "/v1/orders")
        replies = await asyncio.gather(*(gateway.call("alice", "GET", "/v1/orders") for _ in range(30)))
        refused = [reply for reply in replies if reply.status == 429]
        assert len(refused) >= 15
        assert all(reply.is_problem and int(reply.headers["retry-after"]) >= 1 for reply in refused)
        assert (await gateway.call("bob", "GET", "/v1/orders")).status == 200


async def test_a2_callers_without_a_valid_token_are_limited_by_their_address(narrow: None) -> None:
    async with edge(rate_limit=True) as gateway:
        headers = {"Authorization": "Bearer a.b.c"}
        replies = await asyncio.gather(*(gateway.address.request("GET", "/v1/orders", headers) for _ in range(30)))
        assert {reply.status for reply in replies} == {401, 429}
        assert (await gateway.address.request("GET", "/openapi.json")).status == 200


async def test_a2_guessing_a_secret_is_429_soon_even_for_the_right_one_and_only_for_that_client() -> None:
    async with edge() as gateway:
        replies = [await gateway.token("alice", f"guess-{n}") for n in range(15)]
        assert [reply.status for reply in replies[:10]] == [401] * 10
        assert replies[-1].status == 429
        assert int(replies[-1].headers["retry-after"]) >= 1
        assert (await gateway.token("alice")).status == 429
        assert (await gateway.token("bob")).status == 200


@pytest.mark.parametrize(
    ("who", "method", "path", "body"),
    [
        ("alice", "POST", "/v1/orders", PLACED),
        ("alice", "POST", "/v1/orders", PLACED.replace(b'"sku"', b'"unit_price":1,"sku"')),
        ("operator", "PUT", "/v1/products/book", PRODUCT),
        ("operator", "PUT", "/v1/products/book", PRODUCT.replace(b'"amount"', b'"cents":1,"amount"')),
        ("operator", "POST", "/v1/products/book/receipts", RECEIPT),
    ],
)
async def test_a3_a_field_that_does_not_exist_is_422(
    gateway: Edge, who: str, method: str, path: str, body: bytes
) -> None:
    sent = body if b"unit_price" in body or b"cents" in body else body[:-1] + b',"canary":1}'
    reply = await gateway.call(who, method, path, {"Idempotency-Key": "k"}, sent)
    assert (reply.status, reply.is_problem, b"canary" in reply.body) == (422, True, False)


@pytest.mark.process
async def test_a3_answers_carry_the_fields_of_their_schema_and_no_other(platform: System) -> None:
    await platform.once("tea", 100)
    async with platform.client("alice") as alice, platform.client("auditor") as auditor:
        where = {"name": "Alice", "email": "a@b.example", "address": "1, Lane"}
        lines = [{"sku": "tea", "quantity": 1}]
        wish = {"lines": lines, "payment_token": "tok_ok", "delivery": where}
        headers = {"Idempotency-Key": "a3", "Prefer": "wait=10"}
        _, order, _ = await alice.call("POST", "/v1/orders", wish, headers)
        await alice.story(order["order_id"], until="PaymentCaptured")
        api.Order.model_validate(order)
        for shape, path in _reads(order["order_id"]).items():
            status, answer, _ = await alice.call("GET", path)
            assert status == 200, path
            shape.model_validate(answer)
        _, shown, _ = await alice.call("GET", f"/v1/orders/{order['order_id']}")
        assert shown["delivery"] == {**where, "erased": False}
        _, seen, _ = await auditor.call("GET", f"/v1/orders/{order['order_id']}")
        assert seen == {**shown, "delivery": None}  # nothing personal for who only looks
        _, acts, _ = await auditor.call("GET", "/v1/audit")
        api.ActPage.model_validate(acts)


def _reads(order_id: str) -> Mapping[type[BaseModel], str]:
    return {
        api.DeliveredOrder: f"/v1/orders/{order_id}",
        api.OrderPage: "/v1/orders",
        api.Timeline: f"/v1/orders/{order_id}/timeline",
        api.Payment: f"/v1/payments/{order_id}",
        api.ProductPage: "/v1/products",
        api.Product: "/v1/products/tea",
    }


async def test_a4_a_body_of_more_than_64_kB_is_413_however_it_comes(gateway: Edge) -> None:
    large = PLACED + b" " * 65_536
    announced = await gateway.place(large)
    assert (announced.status, announced.is_problem) == (413, True)
    chunked = b"".join(b"1000\r\n" + b" " * 4096 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"
    head = (
        f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.tokens['alice']}\r\nIdempotency-Key: k\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    reply = await gateway.address.exchange(head.encode() + chunked)
    assert (reply.status, reply.is_problem) == (413, True)
    assert not gateway.service.heard


async def test_a4_a_body_is_refused_by_its_announced_length_before_it_is_sent(gateway: Edge) -> None:
    await gateway.place()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.address.port)
    writer.write(
        f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.tokens['alice']}\r\nIdempotency-Key: k\r\n"
        "Content-Type: application/json\r\nContent-Length: 10000000000\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    status, headers, _ = await read_reply(reader)
    assert (status, headers["connection"]) == (413, "close")
    writer.close()


async def test_a4_what_is_nested_deep_or_listed_long_is_refused(gateway: Edge) -> None:
    deep = PLACED[:-1] + b',"delivery":' + b"[" * 32 + b"]" * 32 + b"}"
    assert (await gateway.place(deep)).status == 400
    line = b'{"sku":"book","quantity":1}'
    long = b'{"lines":[' + b",".join([line] * 51) + b'],"payment_token":"tok_ok"}'
    assert (await gateway.place(long)).status == 422
    assert (await gateway.place(long.replace(line + b",", b"", 1))).status == 200
    assert (await gateway.call("alice", "GET", "/v1/orders?limit=101")).status == 422
    assert (await gateway.call("alice", "GET", "/v1/orders?limit=100")).status == 200


async def test_a4_a_service_that_does_not_answer_is_not_waited_for_longer_than_the_deadline() -> None:
    async with edge(order_policy="deadline=0.3 attempts=1") as gateway:
        gateway.service.answer = lambda: StreamingResponse(_never(), media_type="application/json")
        reply = await gateway.call("alice", "GET", "/v1/orders")
        assert (reply.status, reply.is_problem) == (503, True)


async def _never() -> AsyncIterator[bytes]:
    yield b'{"items":['
    await asyncio.sleep(60)


async def test_a5_a_role_that_an_operation_is_not_for_is_403_before_anything_else_is_looked_at(gateway: Edge) -> None:
    tried = set()
    for path, item in (await document(gateway))["paths"].items():
        for method, operation in item.items():
            if "security" not in operation:
                continue
            allowed = {role for entry in operation["security"] for role in entry["oauth"]}
            for role in set(policy.ROLES) - allowed:
                address = path.replace("{order_id}", ORDER_ID).replace("{sku}", "book")
                reply = await gateway.call(WHO[role], method.upper(), address, JSON, b"not JSON")
                assert (reply.status, reply.is_problem) == (403, True), (role, method, path)
                tried.add((role, operation["operationId"]))
    assert {("customer", it) for it in ("put_product", "receive_stock", "read_audit")} <= tried
    assert not gateway.service.heard


@pytest.mark.process
async def test_a6_a_customer_hoards_no_stock(platform: System) -> None:
    """Some orders at once, whose cards are never charged in time; then their reservations end."""
    await platform.once("rare", OPEN_ORDERS)
    async with platform.client("customer-hoarder") as hoarder, platform.client("bob") as bob:
        held = [await hoarder.place([("rare", 1)], "tok_slow") for _ in range(OPEN_ORDERS)]
        status, problem, headers = await _order(hoarder, "one more")
        assert (status, problem["title"]) == (429, "Too many open orders")
        assert int(headers["Retry-After"]) >= 1
        assert (await _order(bob, "another's"))[0] == 202
        for order in held:
            assert (await hoarder.final(order["order_id"]))["status"] == "cancelled"
        assert (await _order(hoarder, "one more"))[0] == 202
        await platform.eventually_available("rare", OPEN_ORDERS)


async def _order(client: Client, key: str) -> tuple[int, Any, Mapping[str, str]]:
    wish = {"lines": [{"sku": "rare", "quantity": 1_000}], "payment_token": "tok_ok"}
    return await client.call("POST", "/v1/orders", wish, {"Idempotency-Key": key.replace(" ", "-")})


async def test_a7_no_server_header_no_CORS_and_nothing_about_the_inside(gateway: Edge) -> None:
    for method, path in (("GET", "/v1/products"), ("GET", "/nowhere"), ("OPTIONS", "/v1/orders")):
        reply = await gateway.call("alice", method, path, {"Origin": "https://evil.example", **JSON})
        assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(reply.headers)


async def test_a7_there_are_no_pages_of_documentation_and_in_production_no_description_either(gateway: Edge) -> None:
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect", "/debug"):
        assert (await gateway.address.request("GET", path)).status == 404
    async with edge(openapi=False) as production:
        assert (await production.address.request("GET", "/openapi.json")).status == 404
        assert (await production.call("alice", "GET", "/v1/orders")).status == 200


async def test_a8_every_served_route_is_in_openapi_and_nothing_else(gateway: Edge) -> None:
    routes = gateway.process.api.routes
    assert all(isinstance(route, APIRoute) for route in routes)
    served = {(method, route.path) for route in routes for method in (route.methods or ())}
    paths = (await document(gateway))["paths"]
    assert {(method.upper(), path) for path, item in paths.items() for method in item} == served
    assert {(route.method, route.path) for route in ROUTES} <= served
