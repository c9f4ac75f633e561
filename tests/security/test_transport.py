"""The transport's checklist, line by line, against real sockets: who gets no answer, who gets 403, and that changing
certificates costs nobody a request."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from common import health
from common.clock import HOUR, MINUTE, system_clock
from common.security.authority import Authority, Credential
from common.security.credentials import KEY, Credentials
from common.testing.certificates import Certificates, spiffe
from common.testing.http import serving
from orderly.certificates import HOLDERS, SIGNING, Store
from tests.security.service import Inventory, inventory

GET = b"GET /v1/products/tea HTTP/1.1\r\nhost: inventory\r\n\r\n"
PROBLEM = (403, "application/problem+json")
DONE = (200, "text/plain")


def careless(certificates: Certificates, shown: Credential | None, folder: Path) -> ssl.SSLContext:
    """A client that shows what it is given and talks to any server of the CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=certificates.authority.stored().certificate.decode())
    if shown is not None:
        (folder / "shown.pem").write_bytes(shown.key + shown.certificate)
        context.load_cert_chain(folder / "shown.pem")
    return context


async def answer_to(port: int, context: ssl.SSLContext | None) -> bytes:
    """What comes back to a request on a new connection; nothing where the server refuses the connection."""
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            try:
                writer.write(GET)
                return await reader.read(1000)
            finally:
                writer.transport.abort()
    except (ssl.SSLError, ConnectionError):
        return b""


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


async def test_t9_a_full_rotation_of_the_authority_under_load_fails_no_request(tmp_path: Path) -> None:
    """No request is repeated here: one that fails ends the test. The waits of the rotation are shorter than the platform's,
    and so are the times that they are waits for."""
    store = Store(tmp_path / "store", trusted_after=1_500, forgotten_after=5_000)
    store.step()
    gateway, served = (Credentials(store.folder_of(name)) for name in ("gateway", "inventory"))
    for one in (gateway, served):
        await one.watch(every=0.1)
    statuses: list[int] = []
    over = asyncio.Event()

    async def load(service: Inventory) -> None:
        pool = aiohttp.TCPConnector(ssl=gateway.client("inventory"), keepalive_timeout=1.0)
        async with aiohttp.ClientSession(connector=pool) as session:
            for number in itertools.count():
                if over.is_set():
                    return
                async with session.post(f"{service.url}/receipts") as answer:  # the client repeats all but this
                    await answer.read()
                    statuses.append(answer.status)
                await asyncio.sleep(0.3 if number % 10 == 0 else 0.01)

    async with inventory(served) as service, asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(load(service))
        before = trusted(store)
        assert store.rotate_authority()
        assert len(trusted(store)) == 2
        async with asyncio.timeout(45):
            while len(trusted(store)) == 2:
                await asyncio.sleep(0.1)
                store.step()
        await asyncio.sleep(2.0)  # everybody has forgotten the old one by then, and goes on
        over.set()
    assert set(statuses) == {200}
    assert len(statuses) > 200
    assert not before & trusted(store)


async def test_t9_who_still_shows_a_certificate_of_the_old_authority_is_asked_to_come_again(
    certificates: Certificates, tmp_path: Path
) -> None:
    """Else its connection would be there still when the old authority is forgotten, and be cut."""
    old = certificates.authority
    late = certificates.leaf("gateway")
    certificates.authority = Authority.create(system_clock())
    folder = certificates.publish("inventory", trusted=(certificates.authority, old))
    async with inventory(Credentials(folder)) as service:
        assert b"connection: close" in await answer_to(service.port, careless(certificates, late, tmp_path))
        assert b"connection: close" not in await answer_to(
            service.port, careless(certificates, certificates.leaf("gateway"), tmp_path)
        )


def trusted(store: Store) -> set[str]:
    return {one.name for one in store.show() if one.name.startswith("CN=")}


async def test_t10_a_connection_from_before_the_rotation_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    async with inventory(certificates.credentials("inventory")) as service:
        context = careless(certificates, certificates.leaf("gateway"), tmp_path)
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=context)
        writer.write(GET)
        assert (await reader.readuntil(b"tea")).startswith(b"HTTP/1.1 200 ")
        session = writer.get_extra_info("ssl_object").session
        assert session is None or not session.has_ticket  # nothing to come back with later

        certificates.authority = Authority.create(system_clock())
        certificates.publish("inventory")
        assert service.credentials.reload()
        writer.write(GET)
        assert await silence(reader)
        writer.transport.abort()
        assert await answer_to(service.port, context) == b""
        assert len(service.asked) == 1


async def test_t10_a_client_sends_nothing_more_to_a_server_from_before_the_rotation(
    certificates: Certificates,
) -> None:
    caller = certificates.credentials("gateway")
    async with inventory(certificates.credentials("inventory")) as service, aiohttp.ClientSession() as session:
        context = caller.client("inventory")
        async with session.get(service.url, ssl=context) as answer:
            assert answer.status == 200
        certificates.authority = Authority.create(system_clock())
        certificates.publish("gateway")
        assert caller.reload()
        with pytest.raises(aiohttp.ClientError):
            await session.put(service.url, ssl=context)
        assert len(service.asked) == 1


async def test_t11_a_kept_connection_ends_with_its_certificate(tmp_path: Path) -> None:
    now = system_clock()
    certificates = Certificates(tmp_path / "certs", lambda: now)
    credentials = Credentials(certificates.publish("inventory"), lambda: now)
    async with inventory(credentials) as service:
        context = careless(certificates, certificates.leaf("gateway", HOUR), tmp_path)
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=context)
        writer.write(GET)
        assert b"connection: close" not in await reader.readuntil(b"tea")
        now += HOUR - MINUTE // 2
        writer.write(GET)
        assert b"connection: close" in await reader.readuntil(b"tea")  # in good time, so that nobody is cut off
        writer.close()

        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=context)
        now += MINUTE
        writer.write(GET)
        assert await silence(reader)
        writer.transport.abort()
        assert len(service.asked) == 2


async def silence(reader: asyncio.StreamReader) -> bool:
    """The connection ends, and nothing comes before its end."""
    try:
        async with asyncio.timeout(10):
            return await reader.read(1000) == b""
    except (ConnectionError, ssl.SSLError):
        return True


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
