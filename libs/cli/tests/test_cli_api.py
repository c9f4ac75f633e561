"""The client of the public API against a server that behaves, misbehaves, and goes away."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orderly.api import Api, Refused, Unanswered
from orderly.failure import Failure
from orderly.following import follow

ENTRY = {"type": "OrderPlaced"}
ORDER = {"order_id": "o", "status": "confirmed", "version": 3}


class Server(ThreadingHTTPServer):
    """`answers`: path -> status and body. Notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[tuple[int, bytes]]] = {"/oauth/token": [(200, b'{"access_token":"t"}')]}
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        answers = self.server.answers[self.path.partition("?")[0]]
        status, content = answers.pop(0) if len(answers) > 1 else answers[0]
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield made
        made.shutdown()


def test_a_caller_introduces_itself_once_and_shows_the_token_ever_after(server: Server) -> None:
    server.answers["/v1/products"] = [(200, b'{"items":[],"next_cursor":null}')]
    api = Api(server.url, "alice")
    api.get("/v1/products")
    api.get("/v1/products")
    assert [path for _, path, _, _ in server.asked] == ["/oauth/token", "/v1/products", "/v1/products"]
    assert server.asked[0][3] == b"grant_type=client_credentials&client_id=alice&client_secret=alice-secret"
    assert server.asked[2][2]["authorization"] == "Bearer t"


def test_key_and_patience_travel_as_headers(server: Server) -> None:
    server.answers["/v1/orders"] = [(202, b"{}")]
    Api(server.url, "alice").send("POST", "/v1/orders", {"a": 1}, key="k", wait=5, read_after="c")
    _, _, headers, body = server.asked[1]
    assert (headers["idempotency-key"], headers["prefer"], headers["consistency-token"]) == ("k", "wait=5", "c")
    assert json.loads(body) == {"a": 1}


def test_a_list_is_read_over_all_its_pages_and_no_further_than_asked(server: Server) -> None:
    pages = [
        {"items": [{"n": n} for n in range(100)], "next_cursor": "c"},
        {"items": [{"n": 100}], "next_cursor": None},
    ]
    server.answers["/v1/orders"] = [(200, json.dumps(page).encode()) for page in pages]
    assert len(list(Api(server.url, "alice").pages("/v1/orders", 1000))) == 101
    assert server.asked[2][1] == "/v1/orders?limit=100&cursor=c"


def test_a_problem_is_told_in_its_own_words(server: Server) -> None:
    problem = {"title": "Order not found", "status": 404, "detail": "There is no such order.", "trace_id": "abc"}
    server.answers["/v1/orders/x"] = [(404, json.dumps(problem).encode())]
    with pytest.raises(Refused, match="404 Order not found: There is no such order") as refused:
        Api(server.url, "alice").get("/v1/orders/x")
    assert refused.value.status == 404


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}"])
def test_an_error_that_is_no_problem_is_told_too(server: Server, body: bytes) -> None:
    server.answers["/v1/orders"] = [(502, body)]
    with pytest.raises(Refused, match="502 Bad Gateway"):
        Api(server.url, "alice").get("/v1/orders")


def test_with_an_outside_issuer_a_token_of_its_is_asked_for_and_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers |= {"/oauth/token": [(404, b"{}")], "/v1/orders": [(200, b"{}")]}
    with pytest.raises(Failure, match="outside"):
        Api(server.url, "alice").get("/v1/orders")
    monkeypatch.setenv("ORDERLY_TOKEN", "theirs")
    Api(server.url, "alice").get("/v1/orders")
    assert server.asked[-1][2]["authorization"] == "Bearer theirs"


def test_no_answer_is_no_refusal(server: Server) -> None:
    server.answers["/v1/orders"] = [(0, b"")]
    with pytest.raises(Unanswered, match="no answer"):
        Api(server.url, "alice").get("/v1/orders")


def test_a_broken_stream_is_taken_up_again_and_nothing_is_told_twice(server: Server) -> None:
    first = sse("entry", ENTRY)
    whole = b": waiting\n\n" + first + sse("entry", {"type": "OrderConfirmed"}) + sse("order", ORDER) + sse("end", {})
    server.answers["/v1/orders/o/stream"] = [(200, first), (0, b""), (503, b""), (200, whole)]
    told: list[Any] = []
    order = follow(Api(server.url, "alice"), "o", on_entry=told.append)
    assert [it["type"] for it in told] == ["OrderPlaced", "OrderConfirmed"]
    assert order == ORDER


def sse(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
