"""The public keys that tokens are checked with, by key id: our own, or an outside issuer's by OpenID discovery.

An outside issuer may rotate its keys at any time: a key id that is not known makes its key set be fetched again, at most once
in 30 s however many such tokens come (J8). An issuer that cannot be reached changes nothing: known keys go on (J9).
"""

import asyncio
import re
import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
import structlog
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key, import_key

from common.clock import MINUTE, SECOND, Clock, Instant
from common.errors import Unavailable
from common.http_client import Upstream
from common.resilience.policy import Policy
from common.security.jws import algorithms

REFETCH_EVERY = 30 * SECOND
REFRESH_EVERY = 10 * MINUTE  # a key that the issuer withdrew is forgotten after this time
MOST_KEYS = 100

_log = structlog.get_logger("keys")
_key_id = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}").fullmatch


class Keys(Protocol):
    def __contains__(self, key_id: object) -> bool:
        """Whether it is known now, without asking anybody."""
        ...

    async def get(self, key_id: str) -> Key | None:
        """Raises Unavailable where nothing is known at all."""
        ...


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class IssuerKeys:
    """The keys of an OpenID provider. A request waits for a fetch only if its key is not known. Belongs to one event loop."""

    def __init__(self, issuer: str, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._upstream = Upstream("issuer", "", Policy(deadline=5.0, breaker=0.0))
        self._keys: Mapping[str, Key] = {}
        self._fetched: Instant = 0
        self._asked: Instant = 0
        self._fetching = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    async def get(self, key_id: str) -> Key | None:
        known = self._keys.get(key_id)
        if known is not None:
            if self._clock() - self._fetched > REFRESH_EVERY and not self._fetching.locked():
                self._refreshing = asyncio.create_task(self._renew(None))
            return known
        await self._renew(key_id)
        if not self._keys:
            raise Unavailable(f"issuer {self._issuer}: its keys could not be fetched; see the log")
        return self._keys.get(key_id)

    def check(self) -> str | None:
        """For the readiness probe, which looks from a thread of its own."""
        return None if self._keys else f"the keys of {self._issuer} are not known yet"

    async def start(self) -> None:
        """Fetch them before anybody needs them, as soon as that can be."""
        self._refreshing = asyncio.create_task(self._begin(), name="issuer's keys")

    async def close(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        await self._upstream.close()

    async def _begin(self) -> None:
        await self._renew(None)
        while not self._keys:
            await asyncio.sleep(SECOND / 1000)
            await self._renew(None)

    async def _renew(self, wanted: str | None) -> None:
        async with self._fetching:
            now = self._clock()
            if wanted in self._keys or (wanted is None and now - self._fetched <= REFRESH_EVERY):
                return  # another request that wanted the same came first
            if now - self._asked < (REFETCH_EVERY if self._keys else SECOND):
                return
            first = not self._keys
            self._asked = now
            try:
                self._keys = await self._fetch()
            except (Unavailable, msgspec.MsgspecError, ValueError) as error:
                _log.warning("keys cannot be fetched, those known go on", issuer=self._issuer, error=str(error))
                return
            self._fetched = now
            if first:
                self._asked = 0  # not made for an unknown key: a rotation right after the start is no error either

    async def _fetch(self) -> Mapping[str, Key]:
        found = msgspec.json.decode(
            await self._read(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"), type=_Discovery
        )
        if found.issuer != self._issuer:
            raise ValueError("the discovery document names another issuer (OpenID Connect Discovery 4.3)")
        key_set = msgspec.json.decode(await self._read(found.jwks_uri), type=_KeySet)
        keys = [key for entry in key_set.keys[:MOST_KEYS] if (key := usable(entry))]
        if not keys:
            raise ValueError("the key set has no key that can be used")
        return {str(key.kid): key for key in keys}

    async def _read(self, url: str) -> bytes:
        if not url.startswith(("https://", "http://")):
            raise ValueError("not a web address")
        answer = await self._upstream.request("GET", url)
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        return answer.body


def usable(entry: Mapping[str, Any]) -> Key | None:
    """A public key for signatures that has a plain id and is strong enough, else None: it may be there for others."""
    if not isinstance(entry.get("kid"), str) or not _key_id(entry["kid"]) or entry.get("use", "sig") != "sig":
        return None
    try:
        with warnings.catch_warnings(action="error"):  # the library only warns of RSA keys under 2048 bits
            key = import_key({name: value for name, value in entry.items() if name in _PUBLIC_MEMBERS})
    except (JoseError, SecurityWarning, ValueError, TypeError, KeyError):
        return None
    return key if algorithms(key) else None


_PUBLIC_MEMBERS = frozenset({"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"})
