"""The lines of "Logs and data" in the security checklist, on a running platform.

Canaries through a whole run, and what of them is left anywhere, before and after an erasure: tests/e2e/test_personal_data.py.
"""

import json
import secrets
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from system import System, orderly

from common.testing.eventually import eventually
from tests.security.wire import MEMBERS, exchange, request

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

FORGED = '\\r\\n{"level":"info","event":"forged"}'


def lines(system: System) -> Iterator[str]:
    """Of all logs of our own processes."""
    for path in (system.data / "logs").glob("*.jsonl"):
        yield from path.read_text().splitlines()


def test_a_log_is_json_line_by_line_whatever_callers_send(system: System) -> None:
    """CR and LF are escaped: nobody writes a line of his own."""
    name = json.dumps({"name": "Tea" + FORGED.replace("\\r\\n", "\r\n"), "price": {"amount": 1, "currency": "EUR"}})
    exchange(system, request(system, "PUT", "/v1/products/tea", name.encode(), who="operator"))
    exchange(system, request(system, "GET", "/v1/products/tea%0d%0a%7B%22event%22:%22forged%22%7D"))
    exchange(system, request(system, "GET", "/v1/orders", b"", 'traceparent: \r\n{"event":"forged"}'))
    exchange(system, b'\r\n{"event":"forged"}\r\n\r\n')
    told = [json.loads(line) for line in lines(system)]
    assert told
    assert all({"event", "level", "at", "service"} <= set(line) for line in told)
    assert not [line for line in told if line["event"] == "forged"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/orders", b"{", 400),
        ("PUT", "/v1/products/tea", b"{}", 403),
        ("GET", "/v1/orders/ord_" + "0" * 32, b"", 404),
        ("DELETE", "/v1/orders", b"", 405),
        ("POST", "/v1/orders", b"{}", 422),
    ],
)
def test_an_error_tells_the_trace_and_nothing_about_the_inside(
    system: System, method: str, path: str, body: bytes, status: int
) -> None:
    trace = secrets.token_hex(16)
    more = (f"traceparent: 00-{trace}-{secrets.token_hex(8)}-01", f"Idempotency-Key: {uuid.uuid4()}")
    problem = exchange(system, request(system, method, path, body, *more)).problem()
    assert (problem["status"], problem["trace_id"]) == (status, trace)
    assert set(problem) == MEMBERS
    said = json.dumps(problem).lower()
    for inside in ("traceback", "exception", ".py", "sqlite", "pydantic", "127.0.0.1", str(system.data)):
        assert inside not in said


def denied(system: System, trace: str) -> list[Any]:
    """What the audit says was denied under this trace."""
    told = orderly("audit", "list", "--denied", "--limit", "1000", "--json", data=system.data)
    return [it for it in json.loads(told.stdout)["items"] if trace in json.dumps(it)]


async def test_every_denied_decision_is_audited_under_its_trace(system: System) -> None:
    """Not let in, not allowed to, and not one's own, which looks like something that does not exist."""
    await system.once("tea", 1000)
    async with system.client("alice") as alice:
        order = (await alice.place([("tea", 1)], wait=10))["order_id"]
    attempts = {
        401: request(system, "GET", "/v1/orders").replace(system.token("alice").encode(), b"nobody's"),
        403: request(system, "PUT", "/v1/products/tea", b"{}"),
        404: request(system, "GET", f"/v1/orders/{order}", who="bob"),
    }
    for status, sent in attempts.items():
        trace = secrets.token_hex(16)
        traced = sent.replace(b"Host:", f"traceparent: 00-{trace}-{secrets.token_hex(8)}-01\r\nHost:".encode())
        assert exchange(system, traced).status == status
        assert eventually(partial(denied, system, trace)), status
