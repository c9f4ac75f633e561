"""J8, J9: an outside issuer's keys, over real HTTP, through rotation, floods of unknown key ids, and outages."""

import asyncio
import contextlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Response
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from common.clock import MINUTE, SECOND
from common.errors import Unavailable
from common.respond import as_json
from common.security.jws import algorithms
from common.security.keys import IssuerKeys, usable
from common.testing.http import serving


@dataclass
class Time:
    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


def key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


@dataclass
class Issuer:
    """An OpenID provider that counts how often its keys are fetched, and can be broken."""

    keys: list[Key] = field(default_factory=list)
    fetches: int = 0
    broken: bool = False
    discovery: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    def application(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/.well-known/openid-configuration")
        async def discovery() -> Response:
            if self.broken:
                return Response(b"out of order", 500)
            return as_json({"issuer": self.url, "jwks_uri": f"{self.url}/jwks", "more": 1, **self.discovery})

        @app.get("/jwks")
        async def jwks() -> Response:
            self.fetches += 1
            if self.broken:
                return Response(b"{", 200)
            return as_json({"keys": [key.as_dict(private=False) for key in self.keys]})

        return app


@contextlib.asynccontextmanager
async def issuer(*kids: str) -> AsyncIterator[tuple[Issuer, IssuerKeys, Time]]:
    it, time = Issuer([key(kid) for kid in kids]), Time()
    async with serving(it.application()) as address:
        it.url = address.url
        keys = IssuerKeys(it.url, time)
        try:
            yield it, keys, time
        finally:
            await keys.close()


async def test_keys_are_found_by_discovery_and_fetched_once_for_all() -> None:
    async with issuer("a", "b") as (it, keys, _):
        found = await asyncio.gather(*(keys.get(kid) for kid in ("a", "b") * 20))
        assert all(found)
        assert it.fetches == 1


async def test_J8_a_rotated_key_is_found_at_once_even_right_after_the_start() -> None:
    async with issuer("a") as (it, keys, _):
        assert await keys.get("a")
        it.keys.append(key("b"))
        assert await keys.get("b")
        assert it.fetches == 2


async def test_J8_a_flood_of_unknown_key_ids_makes_one_fetch_in_30_seconds() -> None:
    async with issuer("a") as (it, keys, time):
        await keys.get("a")
        for _ in range(3):
            assert not any(await asyncio.gather(*(keys.get(f"evil-{n}") for n in range(50))))
        assert it.fetches == 2
        time.now += 29 * SECOND
        await keys.get("evil")
        assert it.fetches == 2
        time.now += SECOND
        await keys.get("evil")
        assert it.fetches == 3


async def test_J8_known_keys_are_served_while_an_unknown_one_is_looked_for() -> None:
    async with issuer("a") as (_, keys, _):
        await keys.get("a")
        looking = asyncio.create_task(keys.get("evil"))
        await asyncio.sleep(0)
        assert await asyncio.wait_for(keys.get("a"), 0.01)
        assert await looking is None


async def test_J9_while_the_issuer_is_down_known_keys_go_on() -> None:
    async with issuer("a") as (it, keys, time):
        assert await keys.get("a")
        it.broken = True
        for _ in range(5):
            time.now += 31 * SECOND
            assert await keys.get("evil") is None
            assert await keys.get("a")


async def test_an_issuer_that_was_never_reached_is_a_matter_of_availability_and_mends_itself() -> None:
    async with issuer("a") as (it, keys, time):
        it.broken = True
        with pytest.raises(Unavailable):
            await keys.get("a")
        it.broken = False
        time.now += SECOND
        assert await keys.get("a")


async def test_the_keys_are_fetched_as_soon_as_that_can_be_and_then_it_is_ready() -> None:
    async with issuer("a") as (it, keys, time):
        it.broken = True
        await keys.start()
        async with asyncio.timeout(30):
            while await asyncio.to_thread(keys.check) is not None:  # as the prober does
                it.broken = False
                time.now += SECOND
                await asyncio.sleep(0.01)
        assert "a" in keys


async def test_a_withdrawn_key_is_forgotten_after_a_while_without_anybody_waiting_for_it() -> None:
    async with issuer("a", "b") as (it, keys, time):
        assert await keys.get("a")
        del it.keys[0]
        time.now += 11 * MINUTE
        assert await keys.get("a")  # this one still finds it, and starts the refresh
        async with asyncio.timeout(5):
            while it.fetches < 2:  # noqa: ASYNC110  # the issuer is asked in the background
                await asyncio.sleep(0.01)
        time.now += SECOND
        async with asyncio.timeout(5):
            while await keys.get("a"):  # noqa: ASYNC110  # the same
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "said", [{"issuer": "https://evil.example"}, {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": 1}]
)
async def test_a_discovery_document_that_does_not_fit_is_not_believed(said: dict[str, Any]) -> None:
    async with issuer("a") as (it, keys, _):
        it.discovery = said
        with pytest.raises(Unavailable):
            await keys.get("a")


def public(key: Key, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **members}


def test_keys_that_cannot_verify_safely_are_left_out() -> None:
    good = key("a")
    assert usable(public(good)) is not None
    assert usable(public(good, use="enc")) is None
    assert usable(public(good, kid=1)) is None
    assert usable(public(good, kid="../a b")) is None
    assert usable(public(good, alg="HS256")) is None
    assert usable(public(good, x=5)) is None
    assert usable({"kid": "a"}) is None
    assert usable({"kid": "a", "kty": "XYZ"}) is None
    assert usable(OctKey.generate_key(256, {"kid": "a"}).as_dict()) is None
    assert usable(public(ECKey.generate_key("P-384", {"kid": "a"}))) is None
    assert usable(public(OKPKey.generate_key("X25519", {"kid": "a"}))) is None
    short = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n
    n = urlsafe_b64encode(short.to_bytes(128)).decode().rstrip("=")
    assert usable({"kty": "RSA", "kid": "a", "e": "AQAB", "n": n}) is None


def test_a_private_key_in_a_key_set_is_read_as_public() -> None:
    found = usable(key("a").as_dict(private=True))
    assert found is not None
    assert not found.is_private


def test_a_key_names_the_algorithms_it_is_for() -> None:
    assert algorithms(RSAKey.generate_key(2048)) == {"RS256"}
    assert algorithms(RSAKey.generate_key(2048, {"alg": "PS256"})) == frozenset()
    assert algorithms(OKPKey.generate_key("Ed25519")) == {"EdDSA", "Ed25519"}
