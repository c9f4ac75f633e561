"""The transport's checklist, T9 to T11: changing certificates costs nobody a request, and what was trusted before is not."""

import asyncio
import itertools
import ssl
from pathlib import Path

import aiohttp
import pytest

from common.clock import HOUR, MINUTE, system_clock
from common.security.authority import Authority
from common.security.credentials import Credentials
from common.testing.certificates import Certificates
from orderly.certificates import Store
from tests.security.careless import GET, answer_to, careless
from tests.security.service import Inventory, inventory


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
