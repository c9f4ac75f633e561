"""Every line of hostile input: a 4xx problem, never a 500, and never an echo of what was sent."""

import json

import pytest

from gateway.testing import PLACED, PRODUCT, Edge

CANARY = "canary-91c4"


pytest_plugins = ["gateway.fixtures"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def order(quantity: str = "1", token: str = '"tok_ok"', more: str = "", line: str = "") -> bytes:
    return f'{{"lines":[{{"sku":"book","quantity":{quantity}{line}}}],"payment_token":{token}{more}}}'.encode()


MALFORMED = {
    "nothing": b" ",
    "half": PLACED[:-1],
    "two values": PLACED + b"{}",
    "trailing comma": b'{"lines":[],}',
    "single quotes": b"{'lines':[]}",
    "NaN": order("NaN"),
    "Infinity": order("Infinity"),
    "-Infinity": order("-Infinity"),
    "1e999": order("1e999"),
    "5000 digits": order("9" * 5000),
    "5000 digits in a field that does not exist": order(more=',"x":' + "9" * 5000),
    "depth 33": order(more=',"x":' + "[" * 33 + "]" * 33),
    "depth 50 000": b"[" * 50_000,
    "depth in objects": b'{"a":' * 10_000,
    "lone surrogate": order(token='"\\ud800"'),
    "lone low surrogate": order(token='"\\udc00"'),
    "surrogates in the wrong order": order(token='"\\udc00\\ud800"'),
    "lone surrogate as a key": order(more=',"\\ud800":1'),
    "raw NUL": order(token='"a\0b"'),
    "raw control character": order(token='"a\x1fb"'),
    "BOM": b"\xef\xbb\xbf" + PLACED,
    "UTF-16": PLACED.decode().encode("utf-16"),
    "UTF-16 without BOM": PLACED.decode().encode("utf-16-le"),
    "UTF-32": PLACED.decode().encode("utf-32"),
    "bad UTF-8": order().replace(b"tok_ok", b"tok\xff"),
    "overlong UTF-8": order().replace(b"tok_ok", b"tok\xc0\xaf"),
    "encoded surrogate": order().replace(b"tok_ok", b"tok\xed\xa0\x80"),
    "equal keys": order(more=',"payment_token":"tok_declined"'),
    "equal keys, one escaped": order(more=',"payment\\u005ftoken":"tok_declined"'),
    "equal keys deep inside": order(line=',"quantity":2'),
}

INVALID = {
    "not an object": b"[]",
    "null": b"null",
    "a string": f'"{CANARY}"'.encode(),
    "no lines": b'{"lines":[],"payment_token":"tok_ok"}',
    "51 lines": json.dumps(
        {"lines": [{"sku": f"s{n}", "quantity": 1} for n in range(51)], "payment_token": "t"}
    ).encode(),
    "an extra field": order(more=f',"{CANARY}":1'),
    "an extra field in a line": order(line=f',"{CANARY}":"{CANARY}"'),
    "a price from the client": order(line=',"unit_price":{"amount":1,"currency":"EUR"}'),
    "a missing field": b'{"lines":[{"sku":"book","quantity":1}]}',
    "quantity 0": order("0"),
    "quantity -1": order("-1"),
    "quantity 10^9+1": order("1000000001"),
    "quantity 2^64": order("18446744073709551616"),
    "quantity 1.0": order("1.0"),
    "quantity 1e2": order("1e2"),
    "quantity as text": order('"1"'),
    "quantity true": order("true"),
    "quantity null": order("null"),
    "quantity a list": order("[1]"),
    "sku with a space": order().replace(b'"book"', f'"a {CANARY}"'.encode()),
    "sku too long": order().replace(b'"book"', b'"' + b"a" * 65 + b'"'),
    "sku with a line end": order().replace(b'"book"', b'"book\\n"'),
    "sku with a path": order().replace(b'"book"', b'"../../etc"'),
    "sku that is not ASCII": order().replace(b'"book"', '"büch"'.encode()),
    "token with NUL": order(token='"a\\u0000b"'),
    "token with CR LF": order(token='"a\\r\\nb"'),
    "token with a space": order(token=f'"{CANARY} b"'),
    "token too long": order(token='"' + "a" * 256 + '"'),
    "token empty": order(token='""'),
    "depth 32": order(more=',"x":' + "[" * 30 + "]" * 30),
    "delivery without an address": order(more=f',"delivery":{{"name":"{CANARY}","email":"a@b"}}'),
    "delivery to no e-mail": order(more=f',"delivery":{{"name":"a","email":"{CANARY}","address":"x"}}'),
    "delivery with a control character": order(more=',"delivery":{"name":"a\\u0007","email":"a@b","address":"x"}'),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_not_JSON_as_it_should_be_is_400(gateway: Edge, name: str) -> None:
    reply = await gateway.place(MALFORMED[name])
    assert (reply.status, reply.is_problem) == (400, True), reply.body


@pytest.mark.parametrize("name", INVALID)
async def test_JSON_that_is_not_an_order_is_422_and_is_not_repeated(gateway: Edge, name: str) -> None:
    reply = await gateway.place(INVALID[name])
    assert (reply.status, reply.is_problem) == (422, True), reply.body
    assert CANARY.encode() not in reply.body


@pytest.mark.parametrize("code", [0x00, 0x1F, 0x7F, 0x85, 0x9F, 0x061C, 0x200E, 0x200F, 0x2028, 0x202A, 0x202E, 0x2066,
                                  0x2069, 0xFEFF])  # fmt: skip
async def test_a_name_with_a_control_or_bidi_character_is_422(gateway: Edge, code: int) -> None:
    body = json.dumps({"name": f"a{chr(code)}b", "price": {"amount": 1, "currency": "EUR"}}).encode()
    reply = await gateway.call("operator", "PUT", "/v1/products/book", {}, body)
    assert (reply.status, reply.is_problem) == (422, True)


@pytest.mark.parametrize(
    "name", ["a" * 200, "日本語の本", "Crème brûlée №5", "👩‍👩‍👧", "'; DROP TABLE orders; --", "<b>"]
)
async def test_a_name_may_be_anything_that_can_be_read(gateway: Edge, name: str) -> None:
    body = json.dumps({"name": name, "price": {"amount": 0, "currency": "EUR"}}).encode()
    assert (await gateway.call("operator", "PUT", "/v1/products/book", {}, body)).status == 200


@pytest.mark.parametrize("price", ['{"amount":1000000000001,"currency":"EUR"}', '{"amount":-1,"currency":"EUR"}',
                                   '{"amount":19.99,"currency":"EUR"}', '{"amount":1,"currency":"eur"}',
                                   '{"amount":1,"currency":"EURO"}', '{"amount":1,"currency":"EUR\\n"}', '{"amount":1}',
                                   "1999", "null"])  # fmt: skip
async def test_money_is_whole_minor_units_up_to_10_to_the_12_of_a_currency(gateway: Edge, price: str) -> None:
    body = f'{{"name":"a","price":{price}}}'.encode()
    reply = await gateway.call("operator", "PUT", "/v1/products/book", {}, body)
    assert (reply.status, reply.is_problem) == (422, True)


async def test_the_largest_amount_is_fine(gateway: Edge) -> None:
    body = PRODUCT.replace(b"1999", b"1000000000000")
    assert (await gateway.call("operator", "PUT", "/v1/products/book", {}, body)).status == 200


async def test_a_body_of_64_kB_is_fine(gateway: Edge) -> None:
    assert (await gateway.place(PLACED + b" " * (65_536 - len(PLACED)))).status == 200


@pytest.mark.parametrize("header", ["Prefer", "Consistency-Token", "Consistency-Level", "If-None-Match", "traceparent",
                                    "Idempotency-Key", "Authorization", "X-Request-Id", "Accept"])  # fmt: skip
@pytest.mark.parametrize("value", [CANARY + "\x80\xff", f"<{CANARY}>", "a" * 4000 + CANARY, f"{CANARY}\t{CANARY}"])
async def test_no_header_is_repeated_or_breaks_anything(gateway: Edge, header: str, value: str) -> None:
    reply = await gateway.call("alice", "POST", "/v1/orders", {"Idempotency-Key": "k", header: value}, b"{}")
    assert 400 <= reply.status < 500
    assert reply.is_problem
    assert CANARY.encode() not in reply.body
    assert not any(CANARY in back for back in reply.headers.values())


@pytest.mark.parametrize("path", [f"/v1/orders/{CANARY}", f"/{CANARY}", f"/v1/orders?cursor=<{CANARY}>",
                                  f"/v1/orders?limit={CANARY}", f"/v1/products/{CANARY}%00"])  # fmt: skip
async def test_no_path_or_query_is_repeated(gateway: Edge, path: str) -> None:
    reply = await gateway.call("alice", "GET", path)
    assert (reply.status in (404, 422), reply.is_problem) == (True, True)
    assert CANARY.encode() not in reply.body


async def test_two_headers_of_a_kind_of_which_there_is_one_are_refused(gateway: Edge) -> None:
    await gateway.place()
    bearer = f"Authorization: Bearer {gateway.tokens['alice']}\r\n"
    for double in (f"{bearer}{bearer}Idempotency-Key: a\r\n", f"{bearer}Idempotency-Key: a\r\nIdempotency-Key: b\r\n"):
        head = f"POST /v1/orders HTTP/1.1\r\nHost: a\r\n{double}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"
        reply = await gateway.address.exchange(head.encode() + b"{}")
        assert (reply.status in (400, 401), reply.is_problem) == (True, True)


async def test_malformed_HTTP_is_400_at_this_listener_too(gateway: Edge) -> None:
    for sent in (b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"):
        reply = await gateway.address.exchange(sent)
        assert (reply.status, reply.is_problem, reply.closed) == (400, True, True)
