"""Who shows no certificate of ours is not answered, and one that is for something else opens nothing."""

import asyncio
import ssl
from pathlib import Path

import pytest
from target import Target

from common.security.credentials import Credentials
from common.testing.certificates import Certificates
from common.topology import GATEWAY, ORDER, PROCESSING_SERVICES, PROVIDER

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

GET = b"GET /v1/orders HTTP/1.1\r\nhost: x\r\n\r\n"
INTERNAL = (*PROCESSING_SERVICES, PROVIDER)


async def status_of(port: int, context: ssl.SSLContext | None) -> int:
    """Of the answer; 0 where the connection is refused."""
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            try:
                writer.write(GET)
                line = await reader.readline()
            finally:
                writer.transport.abort()
    except (ssl.SSLError, ConnectionError):
        return 0
    return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0


def careless(shown: Path | None = None) -> ssl.SSLContext:
    """A client that trusts anybody, and shows the certificate in that folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if shown is not None:
        context.load_cert_chain(shown / "tls.crt", shown / "tls.key")
    return context


@pytest.mark.parametrize("service", INTERNAL)
async def test_nobody_is_answered_without_a_certificate_of_ours(system: Target, service: str, tmp_path: Path) -> None:
    foreign = Certificates(tmp_path / "foreign").publish(GATEWAY)
    process = system.processes(service)[0]

    async def answer_to(context: ssl.SSLContext | None) -> int:
        """Each on a way of its own: one to a pod may end with the first connection that is reset there."""
        with system.reach(process) as port:
            return await status_of(port, context)

    assert await answer_to(None) == 0
    assert await answer_to(careless()) == 0
    assert await answer_to(careless(foreign)) == 0
    assert await answer_to(careless(system.holder(GATEWAY))) > 0


async def test_a_certificate_of_ours_opens_only_what_it_is_for(system: Target) -> None:
    with system.reach(system.processes(ORDER)[0]) as port:
        assert await status_of(port, careless(system.holder(PROVIDER))) == 403


async def test_a_server_that_is_another_service_is_talked_to_by_nobody(system: Target) -> None:
    own = Credentials.of(GATEWAY, system.holder(GATEWAY))
    with system.reach(system.processes(ORDER)[0]) as port:
        assert await status_of(port, own.client(ORDER)) > 0
        assert await status_of(port, own.client(PROVIDER)) == 0
