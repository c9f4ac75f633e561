"""Requests between services: whose trace they are of, what is said of them, and what is nobody's business."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from common import tracecontext
from common.telemetry import keeping, traces
from common.telemetry.http_spans import TracedServer
from common.testing.eventually import eventually

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Route:
    path = "/v1/orders/{order_id}"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "gateway.jsonl"
    traces.configure("gateway", path, {})
    yield path
    traces.close()
    tracecontext.enter("")


def kept(file: Path) -> list[dict[str, Any]]:
    keeping.keep()
    return lines(file)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def ask(
    *, edge: bool, traceparent: str = "", route: bool = True, status: int = 200, error: Exception | None = None
) -> str:
    """Returns the trace under which the request was served."""
    served: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        served.append(tracecontext.of(scope))
        assert tracecontext.doing().traceparent == served[0]
        if route:
            scope["route"] = Route
        if error is not None:
            raise error
        await send({"type": "http.response.start", "status": status})

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None: ...

    headers = [(b"traceparent", traceparent.encode())] if traceparent else []
    scope: Scope = {"type": "http", "method": "GET", "path": "/v1/orders/tok_ok", "scheme": "http", "headers": headers}
    try:
        await TracedServer(application, edge=edge)(scope, receive, send)
    except RuntimeError:
        assert error is not None
    return served[0]


async def test_a_request_from_outside_begins_a_trace(file: Path) -> None:
    served = await ask(edge=True)
    (span,) = kept(file)
    assert (span["traceparent"], span["parent"], span["name"]) == (served, "", "GET /v1/orders/{order_id}")
    assert span["attributes"]["http.response.status_code"] == 200


async def test_it_is_kept_soon_without_anybody_asking(file: Path) -> None:
    await ask(edge=True)
    await ask(edge=True)
    await asyncio.to_thread(eventually, lambda: len(lines(file)) == 2)


async def test_a_request_of_a_trace_goes_on_in_it(file: Path) -> None:
    served = await ask(edge=False, traceparent=PARENT)
    (span,) = kept(file)
    assert (span["traceparent"], span["parent"]) == (served, PARENT)


async def test_between_services_what_is_of_no_trace_begins_none_and_nor_does_what_it_causes(file: Path) -> None:
    served = await ask(edge=False)
    assert not tracecontext.sampled(served)
    assert not traces.start("get order", "client", served, {}).recorded
    assert kept(file) == []


@pytest.mark.parametrize("sent", ["nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", PARENT.upper(), PARENT + "0"])
async def test_a_trace_that_cannot_be_read_is_none(file: Path, sent: str) -> None:
    await ask(edge=True, traceparent=sent)
    assert kept(file)[0]["parent"] == ""


async def test_an_answer_of_ours_that_is_an_error_and_a_crash_are_errors_of_the_span(file: Path) -> None:
    await ask(edge=True, status=503)
    await ask(edge=True, status=404)
    await ask(edge=True, error=RuntimeError("broken"))
    assert [(it["error"], it["attributes"].get("error.type")) for it in kept(file)] == [
        ("503", "503"),
        ("", None),
        ("RuntimeError", "RuntimeError"),
    ]


async def test_what_a_stranger_writes_into_a_path_is_not_kept(file: Path) -> None:
    await ask(edge=True, route=False, status=404)
    (span,) = kept(file)
    assert span["name"] == "GET"
    assert "tok_ok" not in json.dumps(span)
