"""The edge as HTTPS: with the certificate that it is given, and with the next one when that is put there."""

import contextlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from common.clock import HOUR, system_clock
from common.errors import SettingsError
from common.security.authority import Authority
from common.testing.http import Address
from gateway.https import Https
from gateway.testing import edge


class Web:
    """An authority that callers trust, and the edge's files."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.create(system_clock())
        self.certificate, self.key = folder / "edge.crt", folder / "edge.key"

    def issue(self, name: str = "gateway.test") -> None:
        made = self.authority.sign([x509.DNSName(name)], system_clock(), HOUR)
        self.certificate.write_bytes(made.certificate)
        self.key.write_bytes(made.key)

    def caller(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.stored().certificate.decode())


@pytest.fixture
def web(tmp_path: Path) -> Web:
    made = Web(tmp_path)
    made.issue()
    return made


async def test_with_a_certificate_the_edge_is_https(web: Web) -> None:
    async with edge(edge_certificate=web.certificate, edge_key=web.key) as gateway:
        caller = web.caller()
        caller.check_hostname = False
        reply = await Address(gateway.address.port, "https", caller).request("GET", "/openapi.json")
        assert reply.status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            await Address(gateway.address.port).request("GET", "/openapi.json")
        stranger = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            await Address(gateway.address.port, "https", stranger).request("GET", "/openapi.json")


def shown(https: Https, web: Web) -> str:
    """The name in the certificate of a handshake that is made now."""
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    caller = web.caller()
    caller.check_hostname = False
    client = caller.wrap_bio(client_in, client_out)
    server = https.context.wrap_bio(server_in, server_out, server_side=True)
    for end, arrived, sent in ((client, server_in, client_out), (server, client_in, server_out)) * 2:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
        arrived.write(sent.read())
    names = client.getpeercert()
    assert names is not None
    return str(names["subjectAltName"][0][1])


def test_a_new_certificate_is_taken_without_a_restart(web: Web) -> None:
    https = Https(web.certificate, web.key)
    assert shown(https, web) == "gateway.test"
    web.issue("next.test")
    https.reload()
    assert shown(https, web) == "next.test"


def test_a_bad_pair_changes_nothing(web: Web) -> None:
    https = Https(web.certificate, web.key)
    good = web.key.read_bytes()
    web.issue("next.test")
    web.key.write_bytes(good)
    https.reload()
    assert shown(https, web) == "gateway.test"
    web.issue("next.test")
    https.reload()
    assert shown(https, web) == "next.test"


@pytest.mark.parametrize(("certificate", "key"), [(Path("c"), None), (None, Path("k")), (Path("c"), Path("k"))])
async def test_half_of_a_pair_and_a_pair_that_is_not_there_are_mistakes(
    certificate: Path | None, key: Path | None
) -> None:
    with pytest.raises(SettingsError):
        async with edge(edge_certificate=certificate, edge_key=key):
            pass
