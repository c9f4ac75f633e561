"""What the gateway lets through, to whom, and what comes back: real HTTP in front of and behind it."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from starlette.responses import Response

from common.security import audit, policy
from common.security.hop import HEADER
from common.security.identity import CUSTOMER, OPERATOR, Identity
from common.topology import GATEWAY
from gateway import shedding
from gateway.routes import ROUTES, Route
from gateway.testing import ORDER_ID, PLACED, PRODUCT, RECEIPT, Edge, edge

BODIES = {"place_order": PLACED, "put_product": PRODUCT, "receive_stock": RECEIPT}
KEY = {"Idempotency-Key": "k1"}


pytest_plugins = ["gateway.fixtures"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def path_of(route: Route) -> str:
    return route.path.replace("{order_id}", ORDER_ID).replace("{sku}", "book")


def somebody(route: Route) -> str:
    roles = policy.roles_for(route.name)
    return "alice" if CUSTOMER in roles else roles[0]


@pytest.mark.parametrize("route", [it for it in ROUTES if it.upstream != GATEWAY], ids=lambda route: route.name)
async def test_every_route_reaches_its_service_under_the_same_path(gateway: Edge, route: Route) -> None:
    reply = await gateway.call(
        somebody(route), route.method, path_of(route), KEY if route.keyed else {}, BODIES.get(route.name, b"")
    )
    assert reply.status == 200, reply.body
    (heard,) = gateway.service.heard
    assert (heard.method, heard.url.path) == (route.method, path_of(route))
    assert heard.state.caller.subject == somebody(route)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_without_a_token_every_route_is_401_and_says_how_to_authenticate(gateway: Edge, route: Route) -> None:
    reply = await gateway.address.request(route.method, path_of(route))
    assert (reply.status, reply.is_problem, reply.headers["www-authenticate"]) == (401, True, 'Bearer realm="orderly"')
    assert not gateway.service.heard


async def test_the_body_goes_through_byte_for_byte(gateway: Edge) -> None:
    odd = b' { "payment_token" : "tok_ok",\n"lines":[ {"quantity":2,"sku":"book"} ] } '
    assert (await gateway.place(odd)).status == 200
    assert gateway.service.bodies == [odd]


async def test_J10_identity_and_other_headers_from_outside_do_not_pass(gateway: Edge) -> None:
    forged = {
        HEADER: "bob",
        "Orderly-Subject": "bob",
        "Orderly-Roles": OPERATOR,
        "X-Forwarded-For": "1.2.3.4",
        "Forwarded": "for=1.2.3.4",
        "Cookie": "a=b",
        "X-Anything": "c",
        "Orderly-Deadline": "1",
    }
    await gateway.call("alice", "GET", "/v1/orders", forged)
    (heard,) = gateway.service.heard
    headers = heard.headers
    assert heard.state.caller == Identity("alice", frozenset({"customer"}))
    assert set(headers) == {"host", HEADER, "traceparent", "orderly-deadline"}
    assert headers.getlist("orderly-deadline") != ["1"]


async def test_what_a_route_takes_is_passed_on(gateway: Edge) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    said = {"traceparent": trace, "Prefer": "respond-async, wait=7", "Consistency-Token": "b3JkZXIuMS4y"}
    reply = await gateway.place(headers=said)
    headers = gateway.service.heard[0].headers
    assert headers["traceparent"] == trace
    assert headers["idempotency-key"] == "k1"
    assert headers["consistency-token"] == "b3JkZXIuMS4y"
    assert headers["prefer"] == "wait=7"
    assert reply.json() == {"wait": 7}
    await gateway.call("alice", "GET", f"/v1/orders/{ORDER_ID}", {"If-None-Match": '"3"'})
    assert gateway.service.heard[1].headers["if-none-match"] == '"3"'
    await gateway.call("alice", "GET", f"/v1/orders/{ORDER_ID}", {"Consistency-Level": "strong"})
    assert gateway.service.heard[2].headers["consistency-level"] == "strong"


async def test_what_a_service_answers_comes_back_and_nothing_else(gateway: Edge) -> None:
    back = {
        "ETag": '"4"',
        "Location": f"/v1/orders/{ORDER_ID}",
        "Consistency-Token": "abc",
        "Retry-After": "2",
        "Cache-Control": "private, max-age=1",
        "Preference-Applied": "wait=5",
    }
    gateway.service.answer = lambda: Response(
        b'{"a":1}', 202, {**back, "X-Internal": "secret", "Server": "s"}, "application/json"
    )
    reply = await gateway.place()
    assert (reply.status, reply.body) == (202, b'{"a":1}')
    assert {name: reply.headers[name.lower()] for name in back} == back
    assert set(reply.headers) <= {name.lower() for name in back} | {"content-type", "content-length", "connection"}


async def test_304_comes_back_without_a_body(gateway: Edge) -> None:
    gateway.service.answer = lambda: Response(status_code=304, headers={"ETag": '"4"'})
    reply = await gateway.call("alice", "GET", f"/v1/orders/{ORDER_ID}", {"If-None-Match": '"4"'})
    assert (reply.status, reply.headers["etag"], reply.body) == (304, '"4"', b"")


async def test_answers_are_not_stored_unless_the_service_says_so(gateway: Edge) -> None:
    assert (await gateway.place()).headers["cache-control"] == "no-store"


async def test_a_page_is_asked_for_with_limit_and_cursor_and_nothing_else(gateway: Edge) -> None:
    await gateway.call("alice", "GET", "/v1/orders?limit=7&cursor=YWJj&x=1&admin=true")
    assert gateway.service.heard[0].url.query == "limit=7&cursor=YWJj"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "limit=-1", "limit=1e1", "limit=",
                                   "cursor=%00", "cursor=a%0d%0ab", "cursor=" + "a" * 600, "limit=%D9%A1"])  # fmt: skip
async def test_a_page_that_cannot_be_is_422(gateway: Edge, query: str) -> None:
    reply = await gateway.call("alice", "GET", f"/v1/orders?{query}")
    assert (reply.status, reply.is_problem) == (422, True)
    assert not gateway.service.heard


@pytest.mark.parametrize("path", ["/v1/orders/x", "/v1/orders/ord_%2e%2e", "/v1/orders/ord_" + "g" * 32, "/v1/nothing",
                                  "/v1/orders/", f"/v1/orders/{ORDER_ID}%0d%0a", "/v1/products/a%2f..%2fb", "//v1/orders",
                                  "/v1/products/" + "a" * 65, f"/v1/payments/{ORDER_ID.upper()}", "/docs", "/redoc",
                                  "/v1/products/%C3%BC", "/v1/orders/..%2f..%2fadmin", "/metrics", "/livez"])  # fmt: skip
async def test_an_address_that_cannot_be_is_404_and_no_service_hears_of_it(gateway: Edge, path: str) -> None:
    reply = await gateway.call("alice", "GET", path)
    assert (reply.status, reply.is_problem) == (404, True)
    assert not gateway.service.heard


async def test_a_method_that_an_address_does_not_know_is_405_with_those_it_does(gateway: Edge) -> None:
    for path, known in (("/v1/orders", "GET, POST"), ("/v1/products/tea", "GET, PUT"), ("/v1/products", "GET")):
        reply = await gateway.call("alice", "DELETE", path)
        assert (reply.status, reply.is_problem) == (405, True)
        assert reply.headers["allow"] == known


@pytest.mark.parametrize("key", [None, "", "a" * 256, "a b", "ä", "a\tb"])
async def test_an_idempotency_key_is_required_and_visible_ASCII(gateway: Edge, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    reply = await gateway.call("alice", "POST", "/v1/orders", headers, PLACED)
    assert (reply.status, reply.is_problem) == (400, True)
    assert not gateway.service.heard


async def test_an_idempotency_key_of_255_characters_is_fine(gateway: Edge) -> None:
    assert (await gateway.place(headers={"Idempotency-Key": "~" * 255})).status == 200


async def test_a_cancellation_needs_neither_key_nor_body(gateway: Edge) -> None:
    assert (await gateway.call("alice", "POST", f"/v1/orders/{ORDER_ID}/cancellation")).status == 200
    with_key = await gateway.call("alice", "POST", f"/v1/orders/{ORDER_ID}/cancellation", KEY)
    assert with_key.status == 200
    assert gateway.service.heard[1].headers["idempotency-key"] == "k1"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""]
)
async def test_a_body_of_another_media_type_is_415(gateway: Edge, kind: str) -> None:
    reply = await gateway.place(headers={"Content-Type": kind})
    assert (reply.status, reply.is_problem) == (415, True)
    compressed = await gateway.place(headers={"Content-Encoding": "gzip"})
    assert compressed.status == 415
    assert not gateway.service.heard


async def test_a_service_that_is_away_is_503_with_retry_after() -> None:
    async with edge(order_url="http://127.0.0.1:1") as gateway:
        reply = await gateway.place()
        assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (503, True, "1")


async def test_a_service_that_answers_out_of_turn_is_502(gateway: Edge) -> None:
    gateway.service.answer = lambda: Response(b"<h1>secret stack trace</h1>", 500, media_type="text/html")
    reply = await gateway.place()
    assert (reply.status, reply.is_problem) == (502, True)
    assert b"secret" not in reply.body


async def test_a_problem_of_a_service_comes_back_under_the_callers_trace(gateway: Edge) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    reply = await gateway.place(b"{}", {"traceparent": trace})
    assert (reply.status, reply.is_problem) == (422, True)
    assert reply.json()["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_everybody_sees_products_but_only_with_a_token(gateway: Edge) -> None:
    for client in ("alice", "operator", "customer-17"):
        assert (await gateway.call(client, "GET", "/v1/products")).status == 200
    assert (await gateway.address.request("GET", "/v1/products")).status == 401


async def test_200_requests_at_once_share_connections_and_all_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shedding, "PATIENCE", 60.0)  # however slow this machine is
    async with edge() as gateway:
        await gateway.place()
        replies = await asyncio.gather(*(gateway.place() for _ in range(200)))
    assert {reply.status for reply in replies} == {200}


async def test_who_is_not_let_in_and_who_lacks_the_role_are_audited(gateway: Edge, tmp_path: Path) -> None:
    audit.keep(tmp_path / "acts.jsonl")
    try:
        await gateway.address.request("GET", f"/v1/orders/{ORDER_ID}", {"Authorization": "Bearer canary"})
        await gateway.call("alice", "PUT", "/v1/products/book", {}, PRODUCT)
    finally:
        audit.keep(None)
    kept = (tmp_path / "acts.jsonl").read_bytes()
    stranger, alice = (msgspec.json.decode(line) for line in kept.splitlines())
    assert (stranger["who"], stranger["what"]) == ("127.0.0.1", "show_order")
    assert (alice["who"], alice["what"]) == ("alice", "put_product")
    assert b"canary" not in kept and ORDER_ID.encode() not in kept
