"""The bell wakes who waits for what was rung, and nobody else; no ring is lost between a look and the wait after it."""

import asyncio
import threading

import pytest

from common.readmodel import Bell

NEVER = 30.0  # seconds; who waits so long has missed a ring
WITHIN = 10.0


@pytest.fixture
def bell() -> Bell:
    return Bell()


async def test_it_wakes_from_any_thread_who_waits_for_that_name(bell: Bell) -> None:
    waiting = [asyncio.create_task(bell.wait(name, NEVER)) for name in ("a", "a", "b")]
    await asyncio.sleep(0)
    await asyncio.to_thread(bell.ring, ["a", "c"])
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*waiting[:2])
    assert not waiting[2].done()
    waiting[2].cancel()


async def test_a_ring_between_a_look_and_the_wait_is_heard(bell: Bell) -> None:
    bell.look()
    bell.ring(["a"])
    async with asyncio.timeout(WITHIN):
        await bell.wait("a", NEVER)


async def test_a_ring_before_the_look_is_not_waited_for_again(bell: Bell) -> None:
    bell.ring(["a"])
    bell.look()
    bell.ring(["b"])
    waiting = asyncio.create_task(bell.wait("a", NEVER))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


async def test_each_who_looks_and_waits_hears_the_same_ring(bell: Bell) -> None:
    async def look_and_wait(looked: asyncio.Barrier, rung: asyncio.Event) -> None:
        bell.look()
        await looked.wait()
        await rung.wait()
        await bell.wait("a", NEVER)

    looked, rung = asyncio.Barrier(6), asyncio.Event()
    tasks = [asyncio.create_task(look_and_wait(looked, rung)) for _ in range(5)]
    await looked.wait()
    bell.ring(["a"])
    rung.set()
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*tasks)


async def test_who_has_looked_too_long_ago_to_know_looks_again(bell: Bell) -> None:
    bell.look()
    for _ in range(100):
        bell.ring(["b"])
    async with asyncio.timeout(WITHIN):
        await bell.wait("a", NEVER)


async def test_no_ring_is_lost_to_a_thread_that_rings_all_the_time(bell: Bell) -> None:
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            bell.ring(["a"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        async with asyncio.timeout(WITHIN):
            for _ in range(200):
                bell.look()
                await bell.wait("a", NEVER)
    finally:
        done.set()
        writer.join()
