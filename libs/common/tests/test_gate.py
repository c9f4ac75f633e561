"""The gate: so many inside, the others in line, and nobody when the line does not move."""

import asyncio

import pytest

from common.errors import Refused
from common.resilience.gate import Gate


async def test_who_finds_it_full_waits_and_goes_first_come_first_served() -> None:
    gate = Gate("stock", 1, 10)
    await gate.enter()
    went: list[int] = []

    async def visit(number: int) -> None:
        await gate.enter()
        went.append(number)
        gate.leave()

    visits = [asyncio.create_task(visit(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert (gate.inside, gate.waiting, went) == (1, 5, [])
    gate.leave()
    await asyncio.gather(*visits)
    assert went == list(range(5))
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_a_full_line_refuses() -> None:
    gate = Gate("stock", 1, 0)
    await gate.enter()
    with pytest.raises(Refused, match="stock: 1 requests"):
        await gate.enter()


async def test_a_standing_line_takes_nobody_until_it_has_been_served() -> None:
    gate = Gate("stock", 1, 10, patience=0.01)
    await gate.enter()
    first = asyncio.create_task(gate.enter())
    await asyncio.sleep(0.02)
    with pytest.raises(Refused):
        await gate.enter()
    gate.leave()
    await first
    second = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    assert gate.waiting == 1
    gate.leave()
    await second


async def test_who_gives_up_in_line_leaves_no_trace() -> None:
    gate = Gate("stock", 1, 10)
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert gate.waiting == 0
    last = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gate.leave()  # lets the last one in, which gives up at the same moment
    last.cancel()
    await asyncio.gather(last, return_exceptions=True)
    assert gate.inside == 0


async def test_a_wider_limit_counts_from_the_next_leave_on() -> None:
    gate = Gate("stock", 1, 10)
    await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    gate.limit = 3
    gate.leave()
    await asyncio.sleep(0)
    assert (gate.inside, gate.waiting) == (3, 0)
    await asyncio.gather(*waiting)
