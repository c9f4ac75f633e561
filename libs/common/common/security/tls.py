"""Mutual TLS between services: both ends prove who they are, or not one byte of HTTP passes.

TLS 1.3 only, a certificate from each side, signed by a CA of our trust bundle (RFC 5280, strict) and speaking for exactly one
holder. A client names the service it means and leaves in the handshake if another one answers. No session is ever resumed
(no tickets): a resumed session would bring back the trust of the day on which it was made.

Certificates change while connections live. `Connection.valid` and `Connection.fading` tell who serves when one has to end;
a client's connection that is no longer valid refuses to send.
"""

import base64
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import Key

from common.clock import MINUTE, Instant, Millis
from common.security import jws
from common.security.spiffe import Holder, SpiffeId
from common.telemetry import metrics

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LAST_WORDS: Millis = MINUTE  # before a certificate ends; longer than a client keeps an idle connection

_log = structlog.get_logger("tls")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read from the files at one moment."""

    holder: Holder
    trusted: Mapping[bytes, x509.Certificate]  # CAs by key id
    key: Key
    leaf: str  # the certificate, as a token carries it (RFC 7515, 4.1.6)
    server: ssl.SSLContext
    client: ssl.SSLContext


def load(certificate: Path, key: Path, authorities: Path) -> Loaded:
    """Raises OSError (ssl.SSLError is one) and ValueError where the files cannot be used, together, as they are."""
    bundle = authorities.read_bytes()
    trusted = {_key_id(one): one for one in x509.load_pem_x509_certificates(bundle)}
    leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    holder = Holder.of(leaf)
    if holder.authority not in trusted:
        raise ValueError("the certificate is not signed by a CA of the trust bundle itself")
    sides = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        context.check_hostname = False  # an address is not an identity; `Connection` compares SPIFFE IDs
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=bundle.decode("ascii"))
        context.load_cert_chain(certificate, key, password="")  # an encrypted key is refused, not asked for
        context.sslobject_class = Connection
        sides.append(context)
    sides[0].num_tickets = 0
    private = jws.held(serialization.load_pem_private_key(key.read_bytes(), None))
    shown = base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode()
    return Loaded(holder, trusted, private, shown, *sides)


def _key_id(authority: x509.Certificate) -> bytes:
    try:
        return authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        raise ValueError("a CA of the trust bundle has no key id") from None


class Context(ssl.SSLContext):
    """Stands where a library wants a context for good, and makes each connection with what is loaded by then."""

    def __new__(cls, *_: object) -> "Context":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: what goes past `wrap_bio` fails

    def __init__(self, loaded: Callable[[], Loaded], clock: Callable[[], Instant], expected: SpiffeId | None) -> None:
        self._loaded, self._clock, self._expected = loaded, clock, expected

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> "Connection":
        now = self._loaded()
        made = (now.server if server_side else now.client).wrap_bio(incoming, outgoing, server_side, server_hostname)
        assert isinstance(made, Connection)
        made.prepare(now, self._loaded, self._clock, self._expected)
        return made


class Connection(ssl.SSLObject):
    """`holder` is who is at the other end, known as soon as the handshake is over."""

    holder: Holder
    _made_with: Loaded
    _loaded: Callable[[], Loaded]
    _clock: Callable[[], Instant]
    _expected: SpiffeId | None

    def prepare(
        self,
        made_with: Loaded,
        loaded: Callable[[], Loaded],
        clock: Callable[[], Instant],
        expected: SpiffeId | None,
    ) -> None:
        self._made_with, self._loaded, self._clock, self._expected = made_with, loaded, clock, expected

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
            self.holder = self._who()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            side = "server" if self.server_side else "client"
            _log.warning("handshake refused", reason=str(error), side=side)
            metrics.HANDSHAKES_REFUSED.labels(side).inc()
            raise

    def write(self, data: "ReadableBuffer") -> int:
        if not self.server_side and not self.valid():
            raise ssl.SSLError("the server's certificate is no longer good")
        return super().write(data)

    def valid(self) -> bool:
        """The other end's certificate has not run out, and its CA is still trusted."""
        return self._clock() < self.holder.expires and self.holder.authority in self._loaded().trusted

    def fading(self) -> bool:
        """Better made anew, while that hurts nobody: a certificate of either end was, or soon will be, replaced."""
        now = self._loaded()
        if self._made_with is not now or self.holder.authority != now.holder.authority:
            return True
        return self._clock() > min(self.holder.expires, now.holder.expires) - LAST_WORDS

    def _who(self) -> Holder:
        try:
            holder = Holder.of_der(self.getpeercert(binary_form=True))
        except ValueError as error:
            raise ssl.SSLCertVerificationError(1, f"the certificate names no holder: {error}") from None
        if holder.authority not in self._made_with.trusted:
            raise ssl.SSLCertVerificationError(1, "the certificate is not signed by a CA of the trust bundle itself")
        if self._expected is not None and holder.id != self._expected:
            raise ssl.SSLCertVerificationError(1, f"{holder.id} answers where {self._expected} is meant")
        return holder
