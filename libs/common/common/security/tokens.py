"""Access tokens: JWTs by RFC 9068, accepted only when every part says what it must (RFC 8725), else `Problem` 401.

The algorithm is chosen by the key, the key by its id among those known; `jku`, `x5u`, `jwk` in a token are not even read.
A verified token is remembered by its hash until it expires, so only its first request costs a signature check. What a
withdrawn key has signed therefore lives on for as long as such a token may: 15 minutes.
"""

import base64
import binascii
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NoReturn

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from common.clock import SECOND, Clock, Instant
from common.problems import Problem
from common.security.identity import Identity
from common.security.keys import Keys, algorithms

LARGEST_TOKEN = 8 * 1024
LONGEST_LIFE = 15 * 60  # seconds, as all times in a token
SKEW = 30
MOST_REMEMBERED = 10_000
LATEST = 2**53

_form = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)").fullmatch
_subject = re.compile(r"[!-~]{1,255}").fullmatch
_role = re.compile(r"[a-z][a-z0-9_-]{0,63}").fullmatch


def demo_secret(client: str) -> str:
    """Everybody's secret: demo clients are for a platform that has nothing to protect."""
    return f"{client}-secret"


class Verifier:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, keys: Keys, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._remembered: OrderedDict[bytes, tuple[Identity, Instant]] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Raises `Problem` 401, and Unavailable while the issuer's keys cannot be had."""
        if len(token) > LARGEST_TOKEN:
            refuse("it is too long")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._remembered.get(digest)
        if known is not None and self._clock() < known[1]:
            self._remembered.move_to_end(digest)
            return known[0]
        claims = await self._claims(token)
        identity, expires = self._accept(claims)
        self._remembered[digest] = (identity, expires)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return identity

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that is signed by a known key."""
        parts = _form(token)
        if parts is None:
            refuse("it is not a signed JWT")
        header = _object(parts[1])
        if str(header.get("typ")).lower() not in ("at+jwt", "application/at+jwt"):
            refuse("it is not an access token (RFC 9068)")
        if "crit" in header:
            refuse("it demands an extension that is not known here")
        key_id, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(key_id, str) or not isinstance(algorithm, str):
            refuse("it names no key and algorithm")
        key = await self._keys.get(key_id)
        if key is None or algorithm not in algorithms(key):
            refuse("its key is not known here, or not for its algorithm")
        if not _signed(f"{parts[1]}.{parts[2]}", parts[3], key, algorithm):
            refuse("its signature is wrong")
        return _object(parts[2])

    def _accept(self, claims: Mapping[str, Any]) -> tuple[Identity, Instant]:
        now = self._clock() // SECOND
        audience = claims.get("aud")
        if claims.get("iss") != self._issuer:
            refuse("it comes from another issuer")
        if audience != self._audience and not (isinstance(audience, list) and self._audience in audience):
            refuse("it is meant for another audience")
        expires, issued = _time(claims, "exp"), _time(claims, "iat")
        if expires + SKEW <= now:
            refuse("it has expired; ask for a new one")
        if issued - SKEW > now or ("nbf" in claims and _time(claims, "nbf") - SKEW > now):
            refuse("it is not valid yet")
        if not 0 < expires - issued <= LONGEST_LIFE:
            refuse("it is made to live too long")
        subject, roles = claims.get("sub"), claims.get("roles", [])
        if not (isinstance(subject, str) and _subject(subject)):
            refuse("it has no subject that can be used")
        if not (isinstance(roles, list) and all(isinstance(role, str) and _role(role) for role in roles)):
            refuse("its roles are not a list of names")
        return Identity(subject, frozenset(roles)), (expires + SKEW) * SECOND


def refuse(reason: str) -> NoReturn:
    raise Problem(
        401,
        "invalid-token",
        f"The access token is not accepted: {reason}.",
        {"WWW-Authenticate": 'Bearer realm="orderly", error="invalid_token"'},
    )


def _signed(signed: str, signature: str, key: Key, algorithm: str) -> bool:
    model = JWSRegistry.algorithms[algorithm]
    try:
        return model.verify(signed.encode(), _decoded(signature), key)
    except (JoseError, ValueError):
        return False


def _object(part: str) -> Mapping[str, Any]:
    """A JSON object as the signer and everybody else must read it: no equal keys, no NaN."""
    try:
        found = json.loads(_decoded(part), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        refuse("it is not a signed JWT")
    if not isinstance(found, dict):
        refuse("it is not a signed JWT")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("two equal keys in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _time(claims: Mapping[str, Any], name: str) -> int:
    found = claims.get(name)
    if type(found) is not int or not 0 <= found < LATEST:
        refuse(f"its {name} is not a time")
    return found
