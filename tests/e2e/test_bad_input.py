"""Every line of "Input" in the security checklist, against the running platform: 4xx problem+json, no 500, no echo."""

import json
import uuid

import pytest
from system import System

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

CANARY = "canary7f3a"


def order(quantity: str = "1", sku: str = '"tea"', token: str = '"tok_ok"', more: str = "") -> bytes:
    return f'{{"lines":[{{"sku":{sku},"quantity":{quantity}}}],"payment_token":{token}{more}}}'.encode()


BODIES = {
    "NaN": order("NaN"),
    "Infinity": order("-Infinity"),
    "1e999": order("1e999"),
    "a float": order("1.0"),
    "a text for a number": order('"1"'),
    "a boolean for a number": order("true"),
    "zero": order("0"),
    "negative": order("-1"),
    "more than a billion": order("1000000001"),
    "5000 digits": order("9" * 5000),
    "depth 50000": b"[" * 50_000 + b"]" * 50_000,
    "a lone surrogate": order(sku='"\\ud800"'),
    "NUL": order(sku='"te\\u0000a"'),
    "raw NUL": order(sku='"te\x00a"'),
    "BOM": b"\xef\xbb\xbf" + order(),
    "UTF-16": order().decode().encode("utf-16"),
    "bad UTF-8": order(sku='"tea"').replace(b"tea", b"t\xc3\x28a"),
    "duplicate keys": order(more=',"payment_token":"tok_ok"'),
    "an unknown field": order(more=f',"{CANARY}":1'),
    "no lines": b'{"lines":[],"payment_token":"tok_ok"}',
    "51 lines": json.dumps(
        {"lines": [{"sku": f"s{n}", "quantity": 1} for n in range(51)], "payment_token": "tok_ok"}
    ).encode(),
    "a SKU that is a path": order(sku='"../../etc"'),
    "an unknown SKU": order(sku=f'"{CANARY}"'),
    "a token with CR LF": order(token='"tok\\r\\nSet-Cookie: x"'),
    "a price from the client": b'{"lines":[{"sku":"tea","quantity":1,"unit_price":1}],"payment_token":"tok_ok"}',
    "nothing": b"",
    "half of it": order()[:20],
    "an array": b"[]",
    "more than 64 kB": order(more=" " * 65_600),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_order_is_refused(system: System, name: str) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    await system.once("tea", 10)
    async with (
        system.client("alice") as alice,
        alice.session.post("/v1/orders", data=BODIES[name], headers=headers) as answer,
    ):
        text = await answer.text()
        assert 400 <= answer.status < 500, text
        assert answer.content_type == "application/problem+json"
        assert CANARY not in text
        assert set(json.loads(text)) == {"type", "title", "status", "detail", "trace_id"}


@pytest.mark.parametrize(
    "name",
    ["te\u202ea", "a\u0000b", "line\nbreak", "\u2066x\u2069", "", "x" * 201, "\ud800"],
    ids=["bidi override", "NUL", "line break", "bidi isolate", "empty", "too long", "lone surrogate"],
)
async def test_a_product_name_that_is_not_what_it_seems_is_refused(system: System, name: str) -> None:
    async with system.client("operator") as operator:
        price = {"amount": 1, "currency": "EUR"}
        status, problem, _ = await operator.call("PUT", "/v1/products/tea", {"name": name, "price": price})
        assert (status in (400, 422), problem["status"]) == (True, status)


@pytest.mark.parametrize("amount", ["1000000000001", "-1", "1.5", "true", '"1"', "1e3", "1" + "0" * 5000])
async def test_money_is_a_bounded_integer(system: System, amount: str) -> None:
    body = f'{{"name":"Tea","price":{{"amount":{amount},"currency":"EUR"}}}}'
    async with (
        system.client("operator") as operator,
        operator.session.put("/v1/products/x", data=body, headers={"Content-Type": "application/json"}) as answer,
    ):
        assert answer.status in (400, 422), await answer.text()


async def test_what_cannot_be_a_page_is_refused(system: System) -> None:
    async with system.client("alice") as alice:
        for query in ("limit=0", "limit=101", "limit=-1", "limit=x", "limit=1&limit=2", "cursor=%00", "cursor=%ff"):
            status, problem, _ = await alice.call("GET", f"/v1/orders?{query}")
            assert (400 <= status < 500, problem["status"]) == (True, status), query


async def test_a_token_that_was_never_given_out_is_refused(system: System) -> None:
    async with system.client("alice") as alice:
        for token in ("x", "b3JkZXIuMA", "....", "e30"):
            headers = {"Consistency-Token": token}
            status, _, _ = await alice.call("GET", "/v1/orders", headers=headers)
            assert status == 400, token
