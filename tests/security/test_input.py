"""Every line of "Input" in the security checklist, by bytes sent to the running gateway: 4xx, a problem (RFC 9457), never
500, and no echo of what was sent."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from system import System

from tests.security.wire import Reply, exchange, request

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

CANARY = "canary7f3a"
KEY = "Idempotency-Key: input"


@dataclass(frozen=True)
class Place:
    """Where a body goes. `body` has NUMBER and TEXT where it wants a number and a text of the caller's."""

    method: str
    path: str
    body: str
    who: str = "operator"

    def filled(self, number: str = "1", text: str = f"tok_{CANARY}", more: str = "") -> bytes:
        """`more` comes before the last brace."""
        whole = self.body.replace("NUMBER", number).replace("TEXT", text)
        return f"{whole[:-1]}{more}}}".encode("utf-8", "surrogatepass")


PLACES = {
    "an order": Place(
        "POST", "/v1/orders", '{"lines":[{"sku":"tea","quantity":NUMBER}],"payment_token":"TEXT"}', "alice"
    ),
    "a product": Place("PUT", "/v1/products/tea", '{"name":"TEXT","price":{"amount":NUMBER,"currency":"EUR"}}'),
    "a receipt": Place("POST", "/v1/products/tea/receipts", '{"quantity":NUMBER}'),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]


def send(system: System, place: Place, body: bytes, kind: str = "application/json") -> Reply:
    reply = exchange(system, request(system, place.method, place.path, body, KEY, who=place.who, kind=kind))
    reply.problem()
    assert CANARY.encode() not in reply.body
    return reply


NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "1e999": "1e999",
    "5000 digits": "9" * 5000,
    "more than 10^12": "1000000000001",
    "negative": "-1",
    "a fraction": "1.5",
    "a float": "1.0",
    "an exponent": "1e3",
    "a text": '"1"',
    "a boolean": "true",
    "null": "null",
    "an octal": "01",
    "a hexadecimal": "0x1",
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_money_and_quantities_are_bounded_integers(system: System, place: Place, number: str) -> None:
    send(system, place, place.filled(number))


BODIES: Mapping[str, Callable[[Place], bytes]] = {
    "depth 50 000": lambda it: b"[" * 50_000 + b"]" * 50_000,
    "depth 50 000 in a field": lambda it: it.filled(number="[" * 30_000 + "]" * 30_000),
    "BOM": lambda it: b"\xef\xbb\xbf" + it.filled(),
    "UTF-16": lambda it: it.filled().decode().encode("utf-16"),
    "UTF-32": lambda it: it.filled().decode().encode("utf-32"),
    "bad UTF-8": lambda it: it.filled(more=',"x":"t#"').replace(b"#", b"\xc3\x28"),
    "overlong UTF-8": lambda it: it.filled(more=',"x":"#"').replace(b"#", b"\xc0\xaf"),
    "a surrogate in UTF-8": lambda it: it.filled(more=',"x":"\ud800"'),
    "a lone surrogate": lambda it: it.filled(more=',"\\ud800":1'),
    "a raw NUL": lambda it: it.filled(more=',"x":"\0"'),
    "a raw line break": lambda it: it.filled(more=',"x":"\n"'),
    "duplicate keys": lambda it: it.filled(more=f",{it.body[1:-1]}".replace("NUMBER", "1").replace("TEXT", CANARY)),
    "duplicate keys, one escaped": lambda it: it.filled(more=',"a":1,"\\u0061":2'),
    "an unknown field": lambda it: it.filled(more=f',"{CANARY}":1'),
    "__proto__": lambda it: it.filled(more=',"__proto__":{"role":"operator"}'),
    "a comment": lambda it: it.filled() + b"// " + CANARY.encode(),
    "two documents": lambda it: it.filled() * 2,
    "half of it": lambda it: it.filled()[:-3],
    "an array": lambda it: b"[" + it.filled() + b"]",
    "null": lambda it: b"null",
    "more than 64 kB": lambda it: it.filled(more=" " * 65_600),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_strict_json_is_refused(system: System, place: Place, name: str) -> None:
    send(system, place, BODIES[name](place))


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/xml", "*/*"],
)
def test_a_body_of_another_kind_is_refused(system: System, place: Place, kind: str) -> None:
    assert send(system, place, place.filled(), kind).status == 415


TEXTS = {
    "a lone surrogate": "\\ud800",
    "NUL": "te\\u0000a",
    "CR LF": "tea\\r\\nSet-Cookie: x",
    "bidi override": "te\u202ea",
    "bidi isolate": "\u2066x\u2069",
    "a control character": "te\\u0007a",
    "a C1 control character": "te\\u0085a",
    "a line separator": "te\\u2028a",
    "empty": "",
    "too long": "x" * 5000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", ["an order", "a product"], indirect=True)
def test_a_text_with_what_nobody_sees_is_refused(system: System, place: Place, text: str) -> None:
    send(system, place, place.filled(text=text))


LINES = {
    "no lines": [],
    "51 lines": [{"sku": f"s{number}", "quantity": 1} for number in range(51)],
    "a SKU that is a path": [{"sku": "../../etc", "quantity": 1}],
    "a SKU that nobody sells": [{"sku": CANARY, "quantity": 1}],
    "a price of the caller's": [{"sku": "tea", "quantity": 1, "unit_price": 1}],
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
async def test_lines_that_cannot_be_are_refused(system: System, lines: list[dict[str, object]]) -> None:
    await system.once("tea", 10)
    body = json.dumps({"lines": lines, "payment_token": "tok_ok"}).encode()
    send(system, PLACES["an order"], body)


HEADERS = {
    "CL and TE": ["Content-Length: 3", "Transfer-Encoding: chunked"],
    "two CL": ["Content-Length: 3", "Content-Length: 4"],
    "two equal CL": ["Content-Length: 3", "Content-Length: 3"],
    "obs-fold": [f"X-A: {CANARY}", f" {CANARY}"],
    "two Host": ["Host: a"],
    "a space before the colon": [f"X-A : {CANARY}"],
    "a bare CR in a value": [f"X-A: {CANARY}\rX-B: {CANARY}"],
    "a bare LF in a value": [f"X-A: {CANARY}\nX-B: {CANARY}"],
    "NUL in a value": [f"X-A: {CANARY}\0"],
    "a control character in a value": [f"X-A: {CANARY}\x01"],
    "an upgrade": ["Connection: Upgrade", "Upgrade: h2c"],
    "101 headers": [f"X-{number}: {CANARY}" for number in range(101)],
    "16 kB of headers": [f"X-A: {CANARY * 1700}"],
    "CR LF in Idempotency-Key": [f"Idempotency-Key: a\r\n{CANARY}"],
    "a space in Idempotency-Key": [f"Idempotency-Key: {CANARY} {CANARY}"],
    "two Idempotency-Key": [KEY, KEY],
    "two Authorization": [f"Authorization: Bearer {CANARY}"],
    "an odd Consistency-Token": [f"Consistency-Token: {CANARY}", KEY],
    "two Consistency-Token": [f"Consistency-Token: {CANARY}", f"Consistency-Token: {CANARY}", KEY],
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_means_two_things_or_none_is_refused(system: System, name: str) -> None:
    reply = exchange(system, request(system, "POST", "/v1/orders", b"", *HEADERS[name]) + b"abc")
    reply.problem()
    assert CANARY.encode() not in reply.body
    assert "set-cookie" not in reply.headers


def test_bare_line_feeds_are_no_request(system: System) -> None:
    exchange(system, request(system, "GET", "/v1/orders").replace(b"\r\n", b"\n")).problem()


ADDRESSES = [
    f"/v1/orders/{CANARY}",
    f"/v1/orders/..%2f{CANARY}",
    f"/v1/products/%00{CANARY}",
    f"/v1/products/{CANARY}%0d%0aSet-Cookie:%20x",
    f"/v1/products/%ff{CANARY}",
    f"/{CANARY}",
    f"//{CANARY}",
    f"/v1/orders/?{CANARY}",
    *[f"/v1/orders?{query}" for query in ("limit=0", "limit=101", "limit=-1", "limit=x", "limit=1&limit=2")],
    *[f"/v1/orders?cursor={cursor}" for cursor in ("%00", "%ff", CANARY, "x" * 600)],
]


@pytest.mark.parametrize("path", ADDRESSES)
def test_an_address_that_cannot_be_is_refused(system: System, path: str) -> None:
    reply = exchange(system, request(system, "GET", path))
    reply.problem()
    assert CANARY.encode() not in reply.body
    assert "location" not in reply.headers


FORMS = {
    "JSON": (b'{"grant_type":"client_credentials"}', "application/json"),
    "nothing": (b"", "application/x-www-form-urlencoded"),
    "a field twice": (b"grant_type=client_credentials&grant_type=x", "application/x-www-form-urlencoded"),
    "bad UTF-8": (b"grant_type=%ff%fe", "application/x-www-form-urlencoded"),
    "NUL": (b"grant_type=client_credentials&client_id=%00&client_secret=x", "application/x-www-form-urlencoded"),
    "more than 64 kB": (b"grant_type=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_none_gets_no_token(system: System, name: str) -> None:
    body, kind = FORMS[name]
    reply = exchange(system, request(system, "POST", "/oauth/token", body, kind=kind))
    assert 400 <= reply.status < 500
    assert "access_token" not in json.loads(reply.body)


def test_nothing_of_all_that_was_an_error_of_ours(system: System) -> None:
    told = [
        json.loads(line) for path in (system.data / "logs").glob("*.jsonl") for line in path.read_text().splitlines()
    ]
    assert [line for line in told if line.get("level") in ("error", "critical")] == []
