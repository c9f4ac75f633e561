"""An endpoint that fails while the others are well is left out, for a while, and never too many of them."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from common.balancing import STRATEGIES, Candidate
from common.balancing.balancer import Balancer
from common.balancing.outliers import EJECTION, IN_A_ROW, LARGEST_SHARE
from common.discovery import Endpoint


class World:
    def __init__(self, size: int, *, ejection: bool = True) -> None:
        self.now = 0.0
        self.balancer = Balancer(STRATEGIES["round_robin"], "", ejection, lambda: self.now, random.Random(1))
        self.balancer.update([Endpoint(f"http://host{number}") for number in range(size)])

    def answer(self, number: int, ok: bool, times: int = 1) -> None:
        for _ in range(times):
            candidate = self.balancer.candidates[number]
            self.balancer.end(candidate, self.balancer.begin(candidate), ok)

    def out(self) -> list[int]:
        return [number for number, it in enumerate(self.balancer.candidates) if it.ejected_until > self.now]

    def asked(self) -> set[Candidate]:
        return {self.balancer.pick("") for _ in range(20)}


def test_failures_in_a_row_eject_and_time_brings_back() -> None:
    world = World(3)
    world.answer(0, False, IN_A_ROW - 1)
    assert world.out() == []
    world.answer(0, False)
    assert world.out() == [0]
    assert world.balancer.candidates[0] not in world.asked()
    world.now += EJECTION + 0.1
    assert world.balancer.candidates[0] in world.asked()


def test_one_more_failure_after_the_return_ejects_for_longer() -> None:
    world = World(3)
    world.answer(0, False, IN_A_ROW)
    world.now += EJECTION + 0.1
    world.answer(0, False)
    world.now += 1.9 * EJECTION
    assert world.out() == [0]
    world.now += 0.2 * EJECTION
    assert world.out() == []


def test_a_good_endpoint_is_forgiven() -> None:
    world = World(3)
    world.answer(0, False, IN_A_ROW)
    world.now += EJECTION + 0.1
    world.answer(0, True, 100)
    assert world.balancer.candidates[0].ejections == 0


def test_one_that_fails_every_other_time_stands_out_among_good_ones() -> None:
    world = World(3)
    for _ in range(40):
        for number in (1, 2):
            world.answer(number, True)
        world.answer(0, False)
        world.answer(0, True)
        world.now += 0.01
    assert world.out() == [0]


def test_when_all_fail_every_other_time_nobody_stands_out() -> None:
    world = World(3)
    for _ in range(40):
        for number in range(3):
            world.answer(number, False)
            world.answer(number, True)
    assert world.out() == []


def test_it_can_be_switched_off() -> None:
    world = World(3, ejection=False)
    world.answer(0, False, 100)
    assert world.out() == []


@given(size=st.integers(1, 6), answers=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=200))
def test_never_more_than_a_share_of_them_is_out(size: int, answers: Sequence[tuple[int, bool]]) -> None:
    world = World(size)
    for number, ok in answers:
        world.answer(number % size, ok)
        world.now += 0.001
        assert len(world.out()) <= LARGEST_SHARE * size
