"""Authorization codes (RFC 6749, 4.1): signed by the issuer, and saying all that there is to know of them, so that any gateway
takes what another one gave.

A code is good for a minute and once, for the application that asked for it, at the address that it named, with the secret that
it has kept (PKCE, RFC 7636, S256 alone). Whoever brings one for the second time thereby revokes what the first one got.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from common.clock import SECOND, Clock
from common.security import jws
from common.security.keyring import KeyRing
from common.security.tokens import LONGEST_LIFE, SKEW
from gateway.forms import refusal
from gateway.spent import Spent

KIND = "orderly-code+jwt"
LIFE = 60  # seconds

is_challenge = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch
_is_verifier = re.compile(r"[A-Za-z0-9._~-]{43,128}").fullmatch


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody who has logged in allows an application. `id` becomes that of the token."""

    subject: str
    client: str
    redirect_uri: str
    challenge: str
    id: str = ""


class Codes:
    def __init__(self, url: str, ring: KeyRing, spent: Spent, clock: Clock) -> None:
        self._url = url
        self._ring = ring
        self._spent = spent
        self._clock = clock

    def give(self, grant: Grant) -> str:
        key, now = self._ring.signing, self._clock() // SECOND
        claims = {
            "iss": self._url,
            "sub": grant.subject,
            "client_id": grant.client,
            "redirect_uri": grant.redirect_uri,
            "code_challenge": grant.challenge,
            "iat": now,
            "exp": now + LIFE,
            "jti": secrets.token_urlsafe(16),
        }
        return jws.sign(KIND, claims, key, kid=key.kid)

    async def take(self, code: str, client: str, redirect_uri: str, verifier: str) -> Grant:
        """Raises Problem 400 for what is not a good code of this client, and Unavailable when it is not known to be unused."""
        grant = await self._read(code)
        if (grant.client, grant.redirect_uri) != (client, redirect_uri):
            raise _invalid("It was given to another client, or for another redirect_uri.")
        if _is_verifier(verifier) is None or not hmac.compare_digest(_challenge(verifier), grant.challenge):
            raise _invalid("The code_verifier is not the one of its code_challenge.")
        until = self._clock() + (LONGEST_LIFE + SKEW) * SECOND
        if not await self._spent.add(f"code {grant.id}", until):
            await self._spent.add(grant.id, until)
            raise _invalid("It was used before; what it was used for counts no more.")
        return grant

    async def _read(self, code: str) -> Grant:
        try:
            read = jws.Jws.of(code, KIND)
            key = await self._ring.get(str(read.header.get("kid")))
            if key is None:
                raise ValueError("its key is not known")
            claims = read.claims(key)
            if claims["iss"] != self._url or self._clock() // SECOND >= jws.instant(claims, "exp"):
                raise ValueError("it has expired")
        except ValueError:
            raise _invalid("It is no code of this issuer, or it has expired; log in again.") from None
        return Grant(
            claims["sub"], claims["client_id"], claims["redirect_uri"], claims["code_challenge"], claims["jti"]
        )


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _invalid(detail: str) -> Exception:
    return refusal("invalid_grant", f"The code is not accepted. {detail}")
