"""Requests are counted by route and never by what a caller wrote; times lead to a trace."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest

from common import tracecontext
from common.telemetry.requests import Measured
from common.testing.http import Address, serving


def shop() -> Measured:
    app = FastAPI()

    @app.get("/measured/{sku}")
    async def show(sku: str) -> Response:
        if sku == "broken":
            raise RuntimeError("a bug")
        return Response("ok")

    @app.get("/measured-stream")
    async def stream() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"

        return StreamingResponse(pieces())

    return Measured(app)


def requests(**labels: str) -> float:
    return REGISTRY.get_sample_value("orderly_http_requests_total", labels) or 0.0


def timed(route: str) -> float:
    labels = {"route": route, "method": "GET"}
    return REGISTRY.get_sample_value("orderly_http_request_seconds_count", labels) or 0.0


async def test_a_route_is_one_series_whatever_is_asked_for() -> None:
    before = requests(route="/measured/{sku}", method="GET", code="200")
    async with serving(shop()) as address:
        for sku in ("tea", "pot", "cup"):
            await address.request("GET", f"/measured/{sku}")
    assert requests(route="/measured/{sku}", method="GET", code="200") - before == 3


@pytest.mark.parametrize("method", ["GET", "TRACE"])
async def test_what_there_is_not_is_one_series_too(method: str) -> None:
    label = "GET" if method == "GET" else "other"
    before = requests(route="unmatched", method=label, code="404")
    async with serving(shop()) as address:
        await ask_for_nothing(address, method)
    assert requests(route="unmatched", method=label, code="404") - before == 2


async def ask_for_nothing(address: Address, method: str) -> None:
    for path in ("/nowhere/1", "/nowhere/2"):
        await address.request(method, path)


async def test_a_bug_is_counted_as_what_the_caller_saw() -> None:
    before = requests(route="/measured/{sku}", method="GET", code="500")
    async with serving(shop()) as address:
        assert (await address.request("GET", "/measured/broken")).status == 500
    assert requests(route="/measured/{sku}", method="GET", code="500") - before == 1


async def test_who_asks_to_wait_is_counted_and_not_timed() -> None:
    before, counted = timed("/measured/{sku}"), requests(route="/measured/{sku}", method="GET", code="200")
    async with serving(shop()) as address:
        await address.request("GET", "/measured/tea", {"Prefer": "wait=5"})
    assert timed("/measured/{sku}") == before
    assert requests(route="/measured/{sku}", method="GET", code="200") == counted + 1


async def test_a_time_leads_to_the_trace_of_its_request() -> None:
    trace = tracecontext.new()
    async with serving(shop()) as address:
        await address.request("GET", "/measured-stream", {"traceparent": trace})
    shown = generate_latest(REGISTRY).decode()  # type: ignore[no-untyped-call]
    lines = [line for line in shown.splitlines() if 'route="/measured-stream"' in line and "_bucket" in line]
    assert any(f'# {{trace_id="{tracecontext.trace_id(trace)}"}}' in line for line in lines)
