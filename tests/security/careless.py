"""A client that looks at nothing, and shows what it is given."""

import asyncio
import ssl
from pathlib import Path

from common.security.authority import Credential
from common.testing.certificates import Certificates

GET = b"GET /v1/products/tea HTTP/1.1\r\nhost: inventory\r\n\r\n"


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
