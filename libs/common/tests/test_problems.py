"""Every error of an application is a problem, whoever raised it, and tells nothing that it should not."""

from collections.abc import AsyncIterator

import pytest
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from common import problems
from common.application import Application
from common.errors import LogError, Unavailable
from common.problems import Problem
from common.testing.http import Address, serving

CANARY = "canary-55d0"
TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def application() -> FastAPI:
    app = Application("problems")

    @app.get("/problem")
    async def problem(_: Request) -> None:
        raise Problem(409, "too-late", "It has been shipped.", {"Retry-After": "7"}, {"error": "late"})

    @app.get("/unavailable")
    async def unavailable(_: Request) -> None:
        raise Unavailable(f"log: {CANARY}")

    @app.get("/bug")
    async def bug(_: Request) -> None:
        raise RuntimeError(CANARY)

    @app.get("/other")
    async def other(_: Request) -> None:
        raise LogError(CANARY)

    @app.get("/broken")
    async def broken(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"the first"
            raise RuntimeError(CANARY)

        return StreamingResponse(pieces())

    @app.post("/body")
    async def body(request: Request) -> None:
        await request.json()

    return app


@pytest.fixture
async def server() -> AsyncIterator[Address]:
    async with serving(application()) as address:
        yield address


async def test_a_problem_is_answered_as_it_says(server: Address) -> None:
    reply = await server.request("GET", "/problem", TRACE)
    assert (reply.status, reply.headers["content-type"], reply.headers["retry-after"]) == (
        409,
        "application/problem+json",
        "7",
    )
    assert reply.json() == {
        "type": "https://orderly.example/problems/too-late",
        "title": "Too late",
        "status": 409,
        "detail": "It has been shipped.",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "error": "late",
    }


async def test_what_is_away_is_503_with_retry_after_and_no_inner_detail(server: Address) -> None:
    reply = await server.request("GET", "/unavailable")
    assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (503, True, "1")
    assert CANARY.encode() not in reply.body


@pytest.mark.parametrize("path", ["/bug", "/other", "/body"])
async def test_a_bug_is_500_with_the_trace_id_alone_and_a_log_record_under_it(server: Address, path: str) -> None:
    with structlog.testing.capture_logs() as records:
        reply = await server.request(
            "POST" if path == "/body" else "GET", path, TRACE, b"{" if path == "/body" else b""
        )
    assert (reply.status, reply.is_problem) == (500, True)
    assert CANARY.encode() not in reply.body
    assert reply.json()["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert [record["trace_id"] for record in records] == ["4bf92f3577b34da6a3ce929d0e0e4736"]


async def test_a_bug_in_the_middle_of_an_answer_cuts_it(server: Address) -> None:
    with pytest.raises(ValueError, match="invalid literal"):  # the size of the chunk that never comes
        await server.request("GET", "/broken")


def test_an_endpoint_that_wants_more_than_the_request_cannot_be_served() -> None:
    async def show(_: Request, sku: str) -> Response:
        return Response(sku)

    with pytest.raises(TypeError, match="an endpoint takes the request, and nothing else"):
        Application("products").get("/products/{sku}")(show)


async def test_unknown_addresses_and_methods_are_problems_too(server: Address) -> None:
    reply = await server.request("GET", f"/{CANARY}")
    assert (reply.status, reply.is_problem, CANARY.encode() in reply.body) == (404, True, False)
    reply = await server.request("DELETE", "/problem")
    assert (reply.status, reply.is_problem, reply.headers["allow"]) == (405, True, "GET")


async def test_without_a_usable_trace_a_new_one_is_told(server: Address) -> None:
    told = {(await server.request("GET", "/nowhere", {"traceparent": CANARY})).json()["trace_id"] for _ in range(2)}
    assert len(told) == 2
    assert all(len(trace_id) == 32 for trace_id in told)


def test_many_complaints_are_cut_short() -> None:
    found = problems.invalid([{"loc": (n,), "type": "missing", "msg": "Field required"} for n in range(9)])
    assert found.detail == "0: Field required; 1: Field required; 2: Field required; and more."
