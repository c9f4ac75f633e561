"""Gateways that share a Redis share a caller's rate; without it each counts for itself, and nobody is refused for that."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.problems import Problem
from gateway.limits import RateLimit
from gateway.shared_limit import SharedLimit
from orderly.backing.private import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer.start(tmp_path)
    yield started
    started.close()


def gateways(server: RedisServer, rate: float, burst: int) -> list[SharedLimit]:
    return [SharedLimit(server.url, RateLimit(rate, burst, time.monotonic)) for _ in range(2)]


async def let_through(limits: list[SharedLimit], caller: str, attempts: int) -> int:
    """By all of them together, at once."""

    async def one(limit: SharedLimit) -> bool:
        try:
            await limit.admit(caller)
        except Problem as problem:
            assert (problem.status, int(problem.headers["Retry-After"]) >= 1) == (429, True)
            return False
        return True

    return sum(await asyncio.gather(*(one(limits[number % len(limits)]) for number in range(attempts))))


async def test_two_gateways_let_through_what_one_would(server: RedisServer) -> None:
    limits = gateways(server, rate=0.01, burst=20)
    try:
        assert await let_through(limits, "alice", 60) == 20
        assert await let_through(limits, "alice", 10) == 0
        assert await let_through(limits, "bob", 10) == 10
    finally:
        for limit in limits:
            await limit.close()


async def test_a_bucket_fills_up_again_and_says_when(server: RedisServer) -> None:
    (limit, _) = limits = gateways(server, rate=20, burst=1)
    try:
        await limit.admit("alice")
        with pytest.raises(Problem) as caught:
            await limit.admit("alice")
        assert caught.value.headers["Retry-After"] == "1"
        await asyncio.sleep(0.1)
        await limit.admit("alice")
    finally:
        for each in limits:
            await each.close()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_while_redis_is_away_each_gateway_counts_for_itself(server: RedisServer, how: str) -> None:
    limits = gateways(server, rate=0.01, burst=20)
    try:
        assert await let_through(limits, "alice", 60) == 20
        await asyncio.to_thread(server.kill if how == "killed" else server.freeze)
        assert await let_through(limits, "alice", 100) == 2 * 20
    finally:
        for limit in limits:
            await limit.close()
        if how == "frozen":
            server.thaw()
