"""The guard against malformed, slow and idle callers, byte by byte on a real socket."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from common import http_guard
from common.http_guard import GuardedProtocol
from common.testing.http import Address, read_reply, serving

CANARY = "canary-7f3a"


def application() -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False)

    @app.api_route("/echo", methods=["GET", "POST"])
    async def echo(request: Request) -> Response:
        headers = [name.decode() for name, _ in request.scope["headers"]]
        return Response(json.dumps({"length": len(await request.body()), "headers": headers}))

    @app.get("/slow")
    async def slow() -> Response:
        await asyncio.sleep(0.3)
        return Response(b"slow")

    @app.get("/ticks")
    async def ticks() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"tick"
                await asyncio.sleep(0.05)

        return StreamingResponse(pieces())

    @app.get("/flood")
    async def flood() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(1000):
                yield b"x" * 100_000

        return StreamingResponse(pieces())

    return app


@pytest.fixture
async def server() -> AsyncIterator[Address]:
    async with serving(application()) as address:
        yield address


def request(*lines: str, body: str = "") -> bytes:
    return "\r\n".join([*lines, "", body]).encode("latin-1")


GOOD = request("GET /echo HTTP/1.1", "Host: a")

MALFORMED = {
    "CL+TE": request(
        "POST /echo HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked", body="0\r\n\r\n"
    ),
    "TE+CL": request(
        "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 3", body="0\r\n\r\n"
    ),
    "two CL": request("POST /echo HTTP/1.1", "Host: a", "Content-Length: 3", "Content-Length: 4", body="abc"),
    "two equal CL": request("POST /echo HTTP/1.1", "Host: a", "Content-Length: 3", "Content-Length: 3", body="abc"),
    "CL list": request("POST /echo HTTP/1.1", "Host: a", "Content-Length: 3, 3", body="abc"),
    "negative CL": request("POST /echo HTTP/1.1", "Host: a", "Content-Length: -1"),
    "signed CL": request("POST /echo HTTP/1.1", "Host: a", "Content-Length: +3", body="abc"),
    "hex CL": request("POST /echo HTTP/1.1", "Host: a", "Content-Length: 0x3", body="abc"),
    "endless CL": request("POST /echo HTTP/1.1", "Host: a", "Content-Length: " + "9" * 30),
    "obs-fold": request("GET /echo HTTP/1.1", "Host: a", f"X-A: {CANARY}", f" {CANARY}"),
    "obs-fold with tab": request("GET /echo HTTP/1.1", "Host: a", "X-A: b", f"\t{CANARY}"),
    "bare LF": b"GET /echo HTTP/1.1\nHost: a\n\n",
    "bare LF in a header": b"GET /echo HTTP/1.1\r\nHost: a\r\nX-A: b\nX-B: c\r\n\r\n",
    "bare LF at the end": b"GET /echo HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR": b"GET /echo HTTP/1.1\r\nHost: a\r\nX-A: b\rX-B: c\r\n\r\n",
    "NUL in a header": request("GET /echo HTTP/1.1", "Host: a", "X-A: b\0c"),
    "control character in a header": request("GET /echo HTTP/1.1", "Host: a", "X-A: b\x01c"),
    "space before the colon": request("GET /echo HTTP/1.1", "Host: a", "X-A : b"),
    "no colon": request("GET /echo HTTP/1.1", "Host: a", CANARY),
    "two Host": request("GET /echo HTTP/1.1", "Host: a", "Host: b"),
    "two equal Host": request("GET /echo HTTP/1.1", "Host: a", "Host: a"),
    "no Host": request("GET /echo HTTP/1.1", "X-A: b"),
    "empty Host": request("GET /echo HTTP/1.1", "Host:"),
    "odd Host": request("GET /echo HTTP/1.1", f"Host: <{CANARY}>"),
    "two hosts in one": request("GET /echo HTTP/1.1", "Host: a, b"),
    "TE identity": request("POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: identity", "Content-Length: 0"),
    "TE chunked twice": request(
        "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"
    ),
    "two TE": request(
        "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="0\r\n\r\n"
    ),
    "TE obscured": request("POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked", body="0\r\n\r\n"),
    "TE in HTTP/1.0": request("POST /echo HTTP/1.0", "Host: a", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
    "bad chunk size": request(
        "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body="zz\r\nabc\r\n0\r\n\r\n"
    ),
    "chunk longer than said": request(
        "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body="2\r\nabc\r\n0\r\n\r\n"
    ),
    "endless chunk size": request(
        "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body="f" * 40 + "\r\n"
    ),
    "chunk with bare LF": request("POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body="3\nabc\n0\n\n"),
    "trailer": request(
        "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body=f"0\r\nOrderly-Subject: {CANARY}\r\n\r\n"
    ),
    "upgrade": request("GET /echo HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket"),
    "h2c": request(
        "POST /echo HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 3", body="abc"
    ),
    "CONNECT": request("CONNECT a:443 HTTP/1.1", "Host: a"),
    "unknown method": request(f"{CANARY.upper()} /echo HTTP/1.1", "Host: a"),
    "unknown version": request("GET /echo HTTP/7.9", "Host: a"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /echo\r\n\r\n",
    "TLS hello": bytes.fromhex("16030100c8010000c40303") + b"\0" * 100,
    "noise": bytes(range(256)),
    "raw bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_http_gets_400_as_a_problem_and_a_closed_connection(server: Address, name: str) -> None:
    reply = await server.exchange(MALFORMED[name])
    assert (reply.status, reply.is_problem, reply.closed) == (400, True, True)
    assert CANARY.encode() not in reply.body.lower()


async def test_a_good_request_is_served_and_its_connection_kept_without_a_server_header(server: Address) -> None:
    reply = await server.exchange(GOOD)
    assert (reply.status, reply.closed) == (200, False)
    assert "server" not in reply.headers


async def test_chunked_bodies_arrive_whole(server: Address) -> None:
    body = "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n"
    reply = await server.exchange(request("POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body=body))
    assert reply.json()["length"] == 5


async def test_a_head_of_more_than_100_headers_is_refused(server: Address) -> None:
    assert (await server.exchange(request("GET /echo HTTP/1.1", "Host: a", *["A: b"] * 99))).status == 200
    reply = await server.exchange(request("GET /echo HTTP/1.1", "Host: a", *["A: b"] * 100))
    assert (reply.status, reply.is_problem, reply.closed) == (431, True, True)


async def test_a_head_of_more_than_16_kB_is_refused_in_one_piece_or_in_many(server: Address) -> None:
    assert (await server.exchange(request("GET /echo HTTP/1.1", "Host: a", "A: " + "b" * 16_000))).status == 200
    reply = await server.exchange(request("GET /echo HTTP/1.1", "Host: a", "A: " + "b" * 17_000))
    assert (reply.status, reply.is_problem, reply.closed) == (431, True, True)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /echo HTTP/1.1\r\nA: ")
    for _ in range(40):  # and never an end of this header
        writer.write(b"b" * 1_000)
        await asyncio.sleep(0.002)
    assert (await read_reply(reader))[0] == 431
    writer.close()


async def test_a4_a_head_that_does_not_end_times_out_however_busily_it_trickles(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    started = time.monotonic()

    async def trickle() -> None:
        writer.write(b"GET /echo HTTP/1.1\r\n")
        while not reader.at_eof():
            writer.write(b"A: b\r\n")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    status, headers, _ = await read_reply(reader)
    assert (status, headers["content-type"], headers["connection"]) == (408, "application/problem+json", "close")
    assert 0.25 < time.monotonic() - started < 2
    await reader.read()
    await trickling
    writer.close()


async def test_a4_a_body_that_does_not_end_times_out(server: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_guard, "BODY_SECONDS", 0.3)
    reply = await server.exchange(request("POST /echo HTTP/1.1", "Host: a", "Content-Length: 100", body="abc"))
    assert (reply.status, reply.is_problem, reply.closed) == (408, True, True)


async def test_a_body_that_was_answered_before_it_came_gets_no_second_answer(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "BODY_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request("POST /nowhere HTTP/1.1", "Host: a", "Content-Length: 100", body="abc"))
    assert (await read_reply(reader))[0] == 404
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"])
async def test_a_connection_without_a_request_is_closed(
    server: Address, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()


async def test_a_deadline_ends_with_the_request_and_not_with_the_connection(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http_guard, "BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(3):
        for piece in (b"POST /echo HTTP/1.1\r\n", b"Host: a\r\nContent-Length: 4\r\n\r\n", b"ab", b"cd"):
            writer.write(piece)
            await asyncio.sleep(0.03)
        assert (await read_reply(reader))[0] == 200
        await asyncio.sleep(0.3)
    writer.close()


async def test_a4_1000_idle_sockets_do_not_stop_service(server: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_guard, "MOST_CONNECTIONS", 100)
    idle = []
    for number in range(350):  # in proportion: a test may not have 1 000 file descriptors
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        if number % 2:  # half of them did ask something once
            writer.write(GOOD)
            await read_reply(reader)
        idle.append((reader, writer))
        if number == 200:
            await asyncio.sleep(1.1)
    assert (await server.exchange(GOOD)).status == 200
    await asyncio.sleep(0.05)
    closed = sum(reader.at_eof() for reader, _ in idle)
    assert 100 <= closed <= 250  # the longest idle ones; those just opened are about to ask
    assert not any(reader.at_eof() for reader, _ in idle[250:])
    for _, writer in idle:
        writer.close()


async def test_a_caller_that_does_not_read_its_answer_is_cut_off(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "UNREAD_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(request("GET /flood HTTP/1.1", "Host: a"))
    await asyncio.sleep(0.6)
    received = 0
    with pytest.raises(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(1_000_000), 5):
            received += len(piece)
        raise ConnectionResetError  # an orderly end is fine too, as long as it is not the whole answer
    assert received < 100_000_000
    writer.close()


async def test_a_malformed_request_behind_a_good_one_never_mixes_two_answers(server: Address) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request("GET /slow HTTP/1.1", "Host: a"))
    await asyncio.sleep(0.05)
    writer.write(GOOD + b"NOISE\n\n")
    received = await asyncio.wait_for(reader.read(), 5)
    assert received.count(b"HTTP/1.1") <= 1
    writer.close()


async def test_pipelined_requests_are_answered_in_order(server: Address) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request("GET /slow HTTP/1.1", "Host: a") + GOOD)
    assert (await read_reply(reader))[2] == b"slow"
    assert json.loads((await read_reply(reader))[2])["length"] == 0
    writer.close()


async def test_a_refused_caller_gets_its_answer_although_it_is_still_sending(server: Address) -> None:
    flood = b"x" * 5_000_000
    reply = await server.exchange(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 5000000\r\n\r\n" + flood
    )
    assert (reply.status, reply.is_problem) == (400, True)


async def test_after_expect_100_the_connection_is_not_used_again(server: Address) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request("POST /echo HTTP/1.1", "Host: a", "Content-Length: 3", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    _, headers, _ = await read_reply(reader)
    assert headers["connection"] == "close"
    writer.close()


async def test_a_server_that_drains_finishes_what_has_an_end_and_ends_what_is_streamed() -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    config = uvicorn.Config(
        application(), http=GuardedProtocol, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "capture_signals", contextlib.nullcontext)
        running = asyncio.create_task(server.serve(sockets=[sock]))
        connections = []
        for path in ("/slow", "/ticks"):
            reader, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
            writer.write(request(f"GET {path} HTTP/1.1", "Host: a"))
            connections.append((reader, writer))
        await connections[1][0].readuntil(b"tick")
        started = time.monotonic()
        server.should_exit = True
        assert (await read_reply(connections[0][0]))[2] == b"slow"
        rest = await connections[1][0].read()
        assert rest.endswith(b"0\r\n\r\n")
        await running
        assert time.monotonic() - started < 3
    for _, writer in connections:
        writer.close()
