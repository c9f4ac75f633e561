"""Callers that do nothing, or do it slowly, keep nobody out of any listener."""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import Iterator

import pytest

from common import health, http_guard
from common.testing.certificates import Certificates
from common.testing.http import serving
from tests.security.service import inventory

IDLE = 1_000
HEAD = b"GET /v1/products/tea HTTP/1.1\r\nhost: inventory\r\n"


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Both ends of each connection are here. A service allows itself as many at its start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * IDLE)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def idle(port: int, sent: bytes = b"") -> Iterator[None]:
    """A thousand connections on which that is all that ever comes."""
    with contextlib.ExitStack() as opened:
        for _ in range(IDLE):
            opened.enter_context(socket.create_connection(("127.0.0.1", port), 10.0)).sendall(sent)
        yield


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half a hello"])
async def test_a_thousand_silent_connections_do_not_keep_a_caller_out(certificates: Certificates, sent: bytes) -> None:
    async with inventory(certificates.credentials("inventory")) as service:
        with idle(service.port, sent):
            assert await service.ask(certificates.credentials("order")) == (200, "text/plain")


async def test_a_thousand_silent_connections_do_not_hide_the_probes() -> None:
    async with serving(health.application(health.Health())) as admin:
        with idle(admin.port):
            assert (await admin.request("GET", "/livez")).status == 200


async def test_a_handshake_that_is_never_finished_is_given_up(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "HANDSHAKE_SECONDS", 0.2)
    async with inventory(certificates.credentials("inventory")) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1000) == b""
        writer.close()


async def test_a_caller_that_is_known_and_slow_gets_408(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_guard, "HEAD_SECONDS", 0.2)
    context = certificates.credentials("order").client("inventory")
    async with inventory(certificates.credentials("inventory")) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=context)
        writer.write(HEAD)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer
        writer.close()
        assert not service.asked


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"host: order\r\n\r\n", 400),
        (HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (HEAD + b"".join(b"x-%d: y\r\n" % number for number in range(200)) + b"\r\n", 431),
    ],
    ids=["two hosts", "two lengths", "many headers"],
)
async def test_a_caller_that_is_known_is_guarded_against_all_the_same(
    certificates: Certificates, sent: bytes, status: int
) -> None:
    context: ssl.SSLContext = certificates.credentials("order").client("inventory")
    async with inventory(certificates.credentials("inventory")) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=context)
        writer.write(sent)
        assert (await reader.read()).startswith(b"HTTP/1.1 %d " % status)
        writer.close()
        assert not service.asked
