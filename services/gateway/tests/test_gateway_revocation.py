"""RFC 7009: a token that was revoked is good at no gateway any more, and only who may say so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from common.security import keyring
from common.testing.http import Reply
from gateway import spent
from gateway.testing import Edge, edge
from orderly.backing.private import RedisServer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def gateway() -> AsyncIterator[Edge]:
    async with edge() as it:
        yield it


async def token(gateway: Edge, client: str = "alice") -> str:
    return str((await gateway.token(client)).json()["access_token"])


async def use(gateway: Edge, token: str) -> int:
    return (await gateway.address.request("GET", "/v1/products", {"Authorization": f"Bearer {token}"})).status


async def revoke(gateway: Edge, client: str, **form: str) -> Reply:
    said = {"client_id": client, "client_secret": f"{client}-secret", **form}
    return await gateway.address.request("POST", "/oauth/revoke", FORM, urlencode(said).encode())


async def test_a_client_revokes_its_token_and_no_other_one(gateway: Edge) -> None:
    mine, another = await token(gateway), await token(gateway)
    assert (await use(gateway, mine), await use(gateway, another)) == (200, 200)
    reply = await revoke(gateway, "alice", token=mine, token_type_hint="access_token")
    assert (reply.status, reply.body, reply.headers["cache-control"]) == (200, b"", "no-store")
    assert (await use(gateway, mine), await use(gateway, another)) == (401, 200)
    assert (await revoke(gateway, "alice", token=mine)).status == 200


async def test_an_operator_revokes_anybodys(gateway: Edge) -> None:
    hers = await token(gateway)
    assert (await revoke(gateway, "operator", token=hers)).status == 200
    assert await use(gateway, hers) == 401


async def test_anybody_else_is_refused(gateway: Edge) -> None:
    hers = await token(gateway)
    for client, form, status, error in (
        ("bob", {"token": hers}, 400, "unauthorized_client"),
        ("console", {"token": hers, "client_secret": ""}, 400, "unauthorized_client"),
        ("alice", {"token": hers, "client_secret": "x"}, 401, "invalid_client"),
        ("mallory", {"token": hers}, 401, "invalid_client"),
        ("alice", {}, 400, "invalid_request"),
    ):
        reply = await revoke(gateway, client, **form)
        assert (reply.status, reply.is_problem, reply.json()["error"]) == (status, True, error)
    assert await use(gateway, hers) == 200


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 7000])
async def test_what_is_no_token_is_revoked_already(gateway: Edge, text: str) -> None:
    assert (await revoke(gateway, "alice", token=text)).status == 200


@pytest.fixture(params=["one machine", pytest.param("one Redis", marks=pytest.mark.redis)])
def shared(request: Any, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Settings of gateways that belong together."""
    if request.param == "one machine":
        yield {"data": tmp_path}
        return
    keys = tmp_path / "keys"
    keys.mkdir()
    keyring.make(keys, 0)
    with contextlib.closing(RedisServer.start(tmp_path)) as server:
        yield {"redis_url": server.url, "issuer_keys": keys}


async def test_every_gateway_knows_within_30_seconds_also_one_that_starts_later(
    shared: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spent.LOOK_EVERY < 30 / 2
    monkeypatch.setattr(spent, "LOOK_EVERY", 0.05)
    async with edge(**shared) as one, edge(**shared) as other:
        for begin in other.process.background:
            await begin()
        hers = await token(one)
        assert (await use(one, hers), await use(other, hers)) == (200, 200)
        assert (await revoke(one, "alice", token=hers)).status == 200
        async with asyncio.timeout(30):
            while True:
                if await use(other, hers) == 401:
                    break
                await asyncio.sleep(0.05)
    async with edge(**shared) as later:
        for begin in later.process.background:
            await begin()
        assert await use(later, hers) == 401
