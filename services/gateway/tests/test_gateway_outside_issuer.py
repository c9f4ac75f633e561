"""J8, J9 through the gateway: any OpenID provider instead of the built-in issuer, its rotations and outages included."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Response
from joserfc import jwt
from joserfc.jwk import ECKey

from common.clock import SECOND, system_clock
from common.respond import as_json
from common.testing.http import Reply, serving
from gateway.testing import Edge, edge


@dataclass
class Provider:
    url: str = ""
    keys: list[ECKey] = field(default_factory=list)
    fetches: int = 0
    down: bool = False

    def rotate(self) -> None:
        self.keys = [*self.keys[-1:], ECKey.generate_key("P-256", {"kid": secrets.token_hex(4)})]

    def token(self, subject: str = "carol", audience: str = "shop", role: str = "customer") -> str:
        now = system_clock() // SECOND
        claims = {"iss": self.url, "aud": audience, "sub": subject, "roles": [role], "iat": now, "exp": now + 300}
        key = self.keys[-1]
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, claims, key)

    def application(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/realm/.well-known/openid-configuration")
        async def discovery() -> Response:
            return as_json({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

        @app.get("/realm/keys")
        async def keys() -> Response:
            self.fetches += 1
            found = {"keys": [key.as_dict(private=False) for key in self.keys]}
            return as_json({}, 500) if self.down else as_json(found)

        return app


@contextlib.asynccontextmanager
async def outside() -> AsyncIterator[tuple[Provider, Edge]]:
    provider = Provider()
    provider.rotate()
    async with serving(provider.application()) as address:
        provider.url = f"{address.url}/realm"
        async with edge(oidc_issuer=provider.url, oidc_audience="shop") as gateway:
            yield provider, gateway


async def ask(gateway: Edge, token: str) -> Reply:
    return await gateway.address.request("GET", "/v1/products", {"Authorization": f"Bearer {token}"})


async def test_a_token_of_the_outside_issuer_is_accepted_and_one_for_somebody_else_is_not() -> None:
    async with outside() as (provider, gateway):
        assert (await ask(gateway, provider.token())).status == 200
        assert gateway.service.heard[0].state.caller.subject == "carol"
        assert (await ask(gateway, provider.token(audience="orderly"))).status == 401


async def test_the_gateway_is_ready_when_it_knows_the_outside_issuers_keys() -> None:
    async with outside() as (provider, gateway):
        assert any((await asyncio.to_thread(gateway.process.health.readyz)).values())
        for begin in gateway.process.background:
            await begin()
        async with asyncio.timeout(30):
            while True:
                if not any((await asyncio.to_thread(gateway.process.health.readyz)).values()):
                    break
                await asyncio.sleep(0.02)
        assert provider.fetches == 1


async def test_J8_key_rotation_costs_no_request() -> None:
    async with outside() as (provider, gateway):
        assert (await ask(gateway, provider.token())).status == 200
        old = provider.token("dave")
        provider.rotate()
        replies = await asyncio.gather(
            *(ask(gateway, provider.token(f"customer-{n}")) for n in range(20)), ask(gateway, old)
        )
        assert {reply.status for reply in replies} == {200}
        assert provider.fetches == 2


async def test_J8_unknown_key_ids_make_one_fetch() -> None:
    async with outside() as (provider, gateway):
        assert (await ask(gateway, provider.token())).status == 200
        stranger = Provider(provider.url)
        for _ in range(10):
            stranger.rotate()
            assert (await ask(gateway, stranger.token())).status == 401
        assert provider.fetches == 2


async def test_J9_with_the_issuer_down_known_keys_go_on_and_unknown_ones_are_401() -> None:
    async with outside() as (provider, gateway):
        assert (await ask(gateway, provider.token())).status == 200
        provider.down = True
        assert (await ask(gateway, provider.token("dave"))).status == 200
        provider.rotate()
        assert (await ask(gateway, provider.token())).status == 401


async def test_an_issuer_that_was_never_reached_is_503_and_the_gateway_is_not_ready() -> None:
    async with edge(oidc_issuer="http://127.0.0.1:1/realm") as gateway:
        provider = Provider("http://127.0.0.1:1/realm")
        provider.rotate()
        reply = await ask(gateway, provider.token())
        assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (503, True, "1")
        assert any(gateway.process.health.readyz().values())


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 9000, "e30.e30.e30"])
async def test_J1_J7_what_is_no_token_is_401_at_the_gateway_with_the_bearer_error(token: str) -> None:
    async with edge() as gateway:
        reply = await ask(gateway, token)
        assert (reply.status, reply.is_problem) == (401, True)
        assert reply.headers["www-authenticate"].startswith("Bearer ")
