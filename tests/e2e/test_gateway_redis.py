"""A gateway whose Redis, of cache and rate limits, is killed and frozen under load: catalog reads and limits go on."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from system import System

from orderly.backing.private import RedisServer
from orderly.backing.redis import find
from orderly.failure import Failure

pytestmark = [pytest.mark.process, pytest.mark.local, pytest.mark.redis, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    try:
        find()
    except Failure as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{missing.what}; {missing.advice}")
    started = RedisServer.start(tmp_path_factory.mktemp("redis"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def system(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """With the rate limit on."""
    found = System(tmp_path_factory.mktemp("data"))
    environ = {**os.environ, "ORDERLY_DATA": str(found.data), "ORDERLY_REDIS_URL": redis.url}
    command = [sys.executable, "-m", "orderly", "up", "--detach"]
    subprocess.run(command, env=environ, check=True, capture_output=True, timeout=170)
    found.base_url = found.status()["base_url"]
    yield found
    found.down()


async def reads(system: System, name: str, count: int, pace: float) -> Counter[int]:
    """The statuses of catalog reads at a constant rate; 0: no answer within 5 s."""
    statuses: Counter[int] = Counter()

    async def one(session: aiohttp.ClientSession, path: str) -> None:
        try:
            async with session.get(path) as answer:
                statuses[answer.status] += 1
        except (aiohttp.ClientError, TimeoutError):
            statuses[0] += 1

    headers = {"Authorization": f"Bearer {system.token(name)}"}
    patience = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(system.base_url, headers=headers, timeout=patience) as session:
        asked = []
        for number in range(count):
            asked.append(asyncio.create_task(one(session, "/v1/products" if number % 5 == 0 else "/v1/products/tea")))
            await asyncio.sleep(pace)
        await asyncio.gather(*asked)
    return statuses


async def during(trouble: Sequence[Callable[[], None]], task: "asyncio.Task[Counter[int]]") -> Counter[int]:
    for step in trouble:
        await asyncio.sleep(1.0)
        await asyncio.to_thread(step)
    return await task


async def test_no_read_fails_while_redis_is_killed_frozen_and_comes_back(system: System, redis: RedisServer) -> None:
    await system.stock("tea", 10)
    load = asyncio.create_task(reads(system, "alice", 350, 0.02))
    assert await during([redis.kill, redis.restart, redis.freeze, redis.thaw], load) == {200: 350}


async def test_limits_hold_with_redis_and_without_it_and_nobody_else_is_refused(
    system: System, redis: RedisServer, tmp_path: Path
) -> None:
    assert (await reads(system, "customer-hasty", 600, 0.0))[429] > 0
    assert await reads(system, "customer-calm", 20, 0.0) == {200: 20}
    await asyncio.to_thread(redis.kill)
    try:
        assert (await reads(system, "customer-hasty-too", 600, 0.0))[429] > 0
        assert await reads(system, "customer-calm-too", 20, 0.0) == {200: 20}
    finally:
        await asyncio.to_thread(redis.restart)
