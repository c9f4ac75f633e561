"""Access tokens: JWTs by RFC 9068, accepted only when every part says what it must (RFC 8725), else `Problem` 401.

A verified token is remembered by its hash until it expires, so only its first request costs a signature check. A key that is
not known any more, or a token that was revoked, counts at once for those remembered too.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from common.clock import SECOND, Clock, Instant
from common.problems import Problem
from common.security import jws
from common.security.identity import SERVICE, Identity
from common.security.keys import Keys
from common.security.recent import Recent

KIND = "at+jwt"
LARGEST_TOKEN = 8 * 1024
LONGEST_LIFE = 15 * 60  # seconds, as all times in a token
SKEW = 30
MOST_REMEMBERED = 10_000


def demo_secret(client: str) -> str:
    """Everybody's secret: demo clients are for a platform that has nothing to protect."""
    return f"{client}-secret"


@dataclass(frozen=True, slots=True)
class Access:
    """What a token is good for. `id`, its `jti`, is what it is revoked by; a token without one cannot be."""

    identity: Identity
    expires: Instant  # the last one at which it is accepted
    id: str
    client: str
    key_id: str


class Verifier:
    """Verifies tokens of one issuer for one audience. `revoked` says it of a token's id."""

    def __init__(
        self,
        keys: Keys,
        issuer: str,
        audience: str,
        clock: Clock,
        revoked: Callable[[str], bool] = lambda id: False,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._revoked = revoked
        self._remembered: Recent[bytes, Access] = Recent(MOST_REMEMBERED)

    async def verify(self, token: str) -> Identity:
        """Raises `Problem` 401, and Unavailable while the issuer's keys cannot be had."""
        return (await self.access(token)).identity

    async def access(self, token: str) -> Access:
        """The same, with all that there is to know of it."""
        if len(token) > LARGEST_TOKEN:
            refuse("it is too long")
        digest = hashlib.sha256(token.encode()).digest()
        found = self._remembered.get(digest)
        if found is None or self._clock() >= found.expires or found.key_id not in self._keys:
            try:
                found = await self._read(token)
            except ValueError as error:
                refuse(str(error))
            self._remembered.put(digest, found)
        if self._revoked(found.id):
            refuse("it was revoked")
        return found

    async def _read(self, token: str) -> Access:
        read = jws.Jws.of(token, KIND)
        key_id = read.header.get("kid")
        key = await self._keys.get(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise ValueError("its key is not known here")
        return self._accept(read.claims(key), str(key_id))

    def _accept(self, claims: Mapping[str, Any], key_id: str) -> Access:
        now = self._clock() // SECOND
        audience = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise ValueError("it comes from another issuer")
        if audience != self._audience and not (isinstance(audience, list) and self._audience in audience):
            raise ValueError("it is meant for another audience")
        expires, issued = jws.instant(claims, "exp"), jws.instant(claims, "iat")
        if expires + SKEW <= now:
            raise ValueError("it has expired; ask for a new one")
        if issued - SKEW > now or ("nbf" in claims and jws.instant(claims, "nbf") - SKEW > now):
            raise ValueError("it is not valid yet")
        if not 0 < expires - issued <= LONGEST_LIFE:
            raise ValueError("it is made to live too long")
        identity = Identity.claimed(claims)
        if identity.subject.startswith(SERVICE):
            raise ValueError("it names a service of the platform, which needs none")
        id, client = claims.get("jti", ""), claims.get("client_id", "")
        if not (isinstance(id, str) and isinstance(client, str)):
            raise ValueError("its jti or client_id is not a text")
        return Access(identity, (expires + SKEW) * SECOND, id, client, key_id)


def refuse(reason: str) -> NoReturn:
    raise Problem(
        401,
        "invalid-token",
        f"The access token is not accepted: {reason}.",
        {"WWW-Authenticate": 'Bearer realm="orderly", error="invalid_token"'},
    )
