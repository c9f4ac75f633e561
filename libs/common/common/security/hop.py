"""In whose name the gateway asks a service: a token for that service alone, good for a minute (J10).

It is signed with the key of the gateway's certificate, which comes with it (`x5c`, RFC 7515, 4.1.6), and taken only where that
certificate holds by the same trust bundle as the connection does. So there is no other key to hand out, and none to rotate:
certificates are replaced twice a day. Neither a header that somebody smuggles in nor a token that another service was given
makes a request anybody's.

Both sides remember: the gateway signs once for a caller and a service in half a minute, and the service checks that once.
"""

import base64
import binascii
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from joserfc.jwk import Key

from common.clock import SECOND, Clock, Instant, system_clock
from common.security import jws
from common.security.credentials import Credentials
from common.security.identity import Identity
from common.security.recent import Recent
from common.security.spiffe import Holder
from common.topology import GATEWAY

HEADER = "orderly-caller"
KIND = "orderly-hop+jwt"
LIFE = 60  # seconds
SKEW = 30
MOST_REMEMBERED = 10_000


class Minter:
    """The gateway's side."""

    def __init__(self, credentials: Credentials, clock: Clock = system_clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._minted: Recent[tuple[str, Identity], tuple[str, Instant, object]] = Recent(MOST_REMEMBERED)

    def headers(self, caller: Identity, service: str) -> dict[str, str]:
        """What a request to this service must carry. A token is used again while half of its life is before it, and the
        certificate that comes with it is ours."""
        now, own = self._clock(), self._credentials.loaded
        token, until, signer = self._minted.get((service, caller)) or ("", 0, None)
        if now >= until or signer is not own:
            audience, issued = self._credentials.id.neighbour(service), now // SECOND
            claims = {
                "iss": str(self._credentials.id),
                "aud": str(audience),
                "iat": issued,
                "exp": issued + LIFE,
                **caller.claims(),
            }
            token = jws.sign(KIND, claims, own.key, x5c=[own.leaf])
            self._minted.put((service, caller), (token, (issued + LIFE // 2) * SECOND, own))
        return {HEADER: token}


class Verifier:
    """A service's side."""

    def __init__(self, credentials: Credentials, clock: Clock = system_clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._signer = credentials.id.neighbour(GATEWAY)
        self._verified: Recent[str, tuple[Identity, Instant, bytes]] = Recent(MOST_REMEMBERED)
        self._signers: Recent[str, tuple[Key, Holder]] = Recent(10)

    def verify(self, token: str) -> Identity:
        """Raises ValueError, which says why it is not believed."""
        known = self._verified.get(token)
        if known is not None and self._clock() < known[1] and known[2] in self._credentials.loaded.trusted:
            return known[0]
        read = jws.Jws.of(token, KIND)
        key, holder = self._signed_by(read.header.get("x5c"))
        claims, now = read.claims(key), self._clock() // SECOND
        if claims.get("iss") != str(holder.id) or claims.get("aud") != str(self._credentials.id):
            raise ValueError("it is meant for another service")
        expires, issued = jws.instant(claims, "exp"), jws.instant(claims, "iat")
        if not issued - SKEW <= now < expires + SKEW or not 0 < expires - issued <= LIFE:
            raise ValueError("it is not good now")
        identity = Identity.claimed(claims)
        self._verified.put(token, (identity, min((expires + SKEW) * SECOND, holder.expires), holder.authority))
        return identity

    def _signed_by(self, chain: Any) -> tuple[Key, Holder]:
        """The key of the gateway's certificate, which is good now and signed by an authority that we trust now."""
        if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
            raise ValueError("it does not come with one certificate")
        key, holder = self._signers.get(chain[0]) or self._checked(chain[0])
        if self._clock() >= holder.expires or holder.authority not in self._credentials.loaded.trusted:
            raise ValueError("its certificate has run out, or its authority is not trusted any more")
        self._signers.put(chain[0], (key, holder))
        return key, holder

    def _checked(self, leaf: str) -> tuple[Key, Holder]:
        try:
            certificate = x509.load_der_x509_certificate(base64.b64decode(leaf, validate=True))
            holder = Holder.of(certificate)
            certificate.verify_directly_issued_by(self._credentials.loaded.trusted[holder.authority])
            key = jws.held(certificate.public_key())
            begun = certificate.not_valid_before_utc.timestamp() * 1000 <= self._clock()
        except (binascii.Error, ValueError, TypeError, KeyError, InvalidSignature, UnsupportedAlgorithm):
            raise ValueError("its certificate does not hold here") from None
        if holder.id != self._signer or not begun:
            raise ValueError("it is not signed by the gateway")
        return key, holder
