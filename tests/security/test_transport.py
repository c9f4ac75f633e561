"""The transport's checklist, line by line, against real sockets: who gets no answer, and who gets 403. T9 to T11 are in
test_rotation.py."""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from common import health
from common.clock import MINUTE
from common.security.authority import Credential
from common.security.credentials import KEY
from common.testing.certificates import Certificates, spiffe
from common.testing.http import serving
from orderly.certificates import HOLDERS, SIGNING, Store
from tests.security.careless import GET, answer_to, careless
from tests.security.service import Inventory, inventory

PROBLEM = (403, "application/problem+json")
DONE = (200, "text/plain")


async def openssl(port: int, *options: str | Path) -> bytes:
    """What OpenSSL's own client, which is not Python's, gets for the same request."""
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-no_ign_eof", *map(str, options))
    pipe = asyncio.subprocess.PIPE
    asked = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    assert asked.stdin is not None and asked.stdout is not None
    asked.stdin.write(GET)
    try:
        return await asked.stdout.read(1000)
    finally:
        with contextlib.suppress(ProcessLookupError):
            asked.kill()
        await asked.wait()
        asked.stdin.close()


async def test_t1_a_caller_without_a_certificate_gets_no_http_answer(
    certificates: Certificates, tmp_path: Path
) -> None:
    async with inventory(certificates.credentials("inventory")) as service:
        assert await answer_to(service.port, careless(certificates, None, tmp_path)) == b""
        assert await openssl(service.port) == b""
        assert not service.asked
        good = careless(certificates, certificates.leaf("gateway"), tmp_path)
        assert (await answer_to(service.port, good)).startswith(b"HTTP/1.1 200 ")
        assert (await openssl(service.port, "-cert", tmp_path / "shown.pem")).startswith(b"HTTP/1.1 200 ")


async def test_t1_a_plain_request_gets_no_http_answer(certificates: Certificates) -> None:
    async with inventory(certificates.credentials("inventory")) as service:
        assert not (await answer_to(service.port, None)).startswith(b"HTTP")
        assert not service.asked


async def test_t2_an_expired_certificate_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    expired = certificates.leaf("gateway", life=-MINUTE)
    async with inventory(certificates.credentials("inventory")) as service:
        assert await answer_to(service.port, careless(certificates, expired, tmp_path)) == b""
        assert not service.asked


async def test_t3_a_certificate_of_another_authority_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    stranger = Certificates(tmp_path / "other").leaf("gateway")
    async with inventory(certificates.credentials("inventory")) as service:
        assert await answer_to(service.port, careless(certificates, stranger, tmp_path)) == b""
        assert not service.asked


async def test_t4_tls_1_2_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    old = careless(certificates, certificates.leaf("gateway"), tmp_path)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with inventory(certificates.credentials("inventory")) as service:
        assert await answer_to(service.port, old) == b""
        assert await openssl(service.port, "-tls1_2", "-cert", tmp_path / "shown.pem") == b""
        assert not service.asked


async def test_t5_the_right_authority_and_the_wrong_identity_get_403(certificates: Certificates) -> None:
    async with inventory(certificates.credentials("inventory")) as service:
        with capture_logs() as logs:
            assert await service.ask(certificates.credentials("payment")) == PROBLEM
        assert not service.asked
    assert [(line["event"], line["who"]) for line in logs] == [("denied", str(spiffe("payment")))]


async def test_t5_a_caller_may_ask_for_what_it_is_declared_to_and_for_nothing_else(certificates: Certificates) -> None:
    order = certificates.credentials("order")
    async with inventory(certificates.credentials("inventory")) as service:
        assert await service.ask(order) == DONE
        assert service.asked == [str(spiffe("order"))]
        assert await service.ask(order, "PUT") == PROBLEM
        assert await service.ask(certificates.credentials("gateway"), "PUT") == DONE


async def test_t6_another_trust_domain_gets_403(certificates: Certificates, tmp_path: Path) -> None:
    foreign = certificates.leaf("gateway", trust_domain="elsewhere.example")
    async with inventory(certificates.credentials("inventory")) as service:
        answer = await answer_to(service.port, careless(certificates, foreign, tmp_path))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"application/problem+json" in answer
        assert not service.asked


@pytest.mark.parametrize(
    "names",
    [(), (str(spiffe("gateway")), str(spiffe("order"))), ("https://gateway/",), ("spiffe://orderly.local/gateway",)],
    ids=["common name only", "two names", "another kind of name", "another kind of id"],
)
async def test_t7_a_certificate_that_does_not_name_exactly_one_holder_is_refused(
    certificates: Certificates, tmp_path: Path, names: Sequence[str]
) -> None:
    odd = certificates.naming(*names, subject="" if names else "gateway")
    async with inventory(certificates.credentials("inventory")) as service:
        assert await answer_to(service.port, careless(certificates, odd, tmp_path)) == b""
        assert not service.asked


async def test_t8_a_client_leaves_a_server_of_the_wrong_identity_before_any_request_byte(
    certificates: Certificates,
) -> None:
    impostor = certificates.credentials("payment")
    received = bytearray()
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """TLS by hand: whatever comes before the end of the connection is decrypted."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = impostor.server().wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                incoming.write(piece)
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                    received.extend(end.read())
                writer.write(outgoing.read())
        writer.transport.abort()
        gone.set()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    there = Inventory(impostor, server.sockets[0].getsockname()[1])
    with pytest.raises(aiohttp.ClientConnectorError):
        await there.ask(certificates.credentials("gateway"), "PUT")
    await gone.wait()
    assert received == b""
    server.close()
    await server.wait_closed()


async def test_t8_a_client_leaves_a_server_of_another_authority(certificates: Certificates, tmp_path: Path) -> None:
    async with inventory(Certificates(tmp_path / "other").credentials("inventory")) as service:
        with pytest.raises(aiohttp.ClientConnectorError):
            await service.ask(certificates.credentials("gateway"))


async def test_t12_bad_files_change_nothing_and_raise_the_alarm(certificates: Certificates) -> None:
    caller = certificates.credentials("gateway")
    good = certificates.leaf("inventory")
    broken = {
        "no PEM": Credential(good.key, b"-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"),
        "another key": Credential(certificates.leaf("inventory").key, good.certificate),
        "empty": Credential(b"", b""),
        "somebody else's": certificates.leaf("payment"),
    }
    async with inventory(certificates.credentials("inventory")) as service:
        for what, leaf in broken.items():
            certificates.publish("inventory", leaf)
            with capture_logs() as logs:
                assert not service.credentials.reload(), what
                assert not service.credentials.reload(), what
            assert [line["log_level"] for line in logs] == ["error"], what  # said once, not at every look
            assert service.credentials.alarm(), what
            assert await service.ask(caller) == DONE, what
        folder = certificates.publish("inventory", good)
        (folder / KEY).unlink()
        assert not service.credentials.reload()
        assert await service.ask(caller) == DONE
        (folder / KEY).write_bytes(good.key)
        assert service.credentials.reload()
        assert service.credentials.alarm() is None
        assert await service.ask(caller) == DONE


async def test_t13_the_probes_port_serves_nothing_else() -> None:
    async with serving(health.application(health.Health())) as admin:
        for path in ("/livez", "/readyz", "/startupz", "/metrics"):
            assert (await admin.request("GET", path)).status == 200
            assert (await admin.request("POST", path)).status == 404
        for path in ("/", "/v1/products", "/openapi.json", "/docs", "/livez/", "/livez/..", "//livez", "/LIVEZ"):
            assert (await admin.request("GET", path)).status == 404


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.step()
    private = [tmp_path / "store/authority" / f"{SIGNING}.pem", *(store.folder_of(name) / KEY for name in HOLDERS)]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in private} == {0o700}
