"""Rate limits: a caller that is too fast is told when to come back, and nobody else notices."""

import asyncio

import pytest

from common.problems import Problem
from gateway import app, limits
from gateway.limits import RateLimit
from gateway.testing import edge


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit, caller: str, attempts: int) -> int:
    count = 0
    for _ in range(attempts):
        try:
            limit.take(caller)
            count += 1
        except Problem as problem:
            assert problem.status == 429
    return count


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    time = Time()
    limit = RateLimit(10, 20, time)
    assert taken(limit, "a", 100) == 20
    time.now = 0.5
    assert taken(limit, "a", 100) == 5
    time.now = 1000
    assert taken(limit, "a", 100) == 20


def test_each_caller_has_its_own_bucket() -> None:
    limit = RateLimit(1, 5, Time())
    assert taken(limit, "a", 10) == 5
    assert taken(limit, "b", 10) == 5


def test_retry_after_is_when_the_next_request_will_be_let_through() -> None:
    time = Time()
    limit = RateLimit(0.25, 1, time)
    limit.take("a")
    with pytest.raises(Problem) as caught:
        limit.take("a")
    assert caught.value.headers == {"Retry-After": "4"}
    time.now = 4
    limit.take("a")


def test_checking_takes_nothing() -> None:
    limit = RateLimit(1, 1, Time())
    for _ in range(5):
        limit.check("a")
    assert taken(limit, "a", 5) == 1


def test_callers_beyond_the_most_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BUCKETS", 3)
    limit = RateLimit(1, 1, Time())
    for caller in ("a", "b", "c", "d"):
        limit.take(caller)
    assert taken(limit, "d", 1) == 0
    assert taken(limit, "a", 1) == 1


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "REQUESTS_A_SECOND", 0.5)
    monkeypatch.setattr(app, "REQUESTS_AT_ONCE", 10)


async def test_the_limit_can_be_turned_off(narrow: None) -> None:
    async with edge(rate_limit=False) as gateway:
        await gateway.call("alice", "GET", "/v1/orders")
        replies = await asyncio.gather(*(gateway.call("alice", "GET", "/v1/orders") for _ in range(30)))
        assert {reply.status for reply in replies} == {200}
