"""The guards put together: what a caller sees of an upstream with several endpoints, of which some are bad."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Response
from prometheus_client import REGISTRY

from common.discovery import Endpoint, Static
from common.errors import Late, Refused, SettingsError, Unavailable
from common.http_client import Upstream
from common.resilience.policy import Policy
from common.testing.http import serving

GONE = "http://127.0.0.1:1"


@dataclass
class Replica:
    """Answers with `status` after `delay`, and counts."""

    status: int = 200
    delay: float = 0.0
    asked: int = 0
    at_once: int = 0
    most_at_once: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def everything() -> Response:
            self.asked += 1
            self.heard.set()
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await asyncio.sleep(self.delay)
            finally:
                self.at_once -= 1
            return Response(status_code=self.status)

        return app


@contextlib.asynccontextmanager
async def upstream(policy: Policy, *replicas: Replica, gone: int = 0, name: str = "stock") -> AsyncIterator[Upstream]:
    async with contextlib.AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(serving(it.application())) for it in replicas]
        found = Upstream(name, Static(*(Endpoint(it.url) for it in addresses), *[Endpoint(GONE)] * gone), policy)
        stack.push_async_callback(found.close)
        yield found


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_an_endpoint_that_is_gone_costs_its_callers_nothing_not_even_a_POST() -> None:
    async with upstream(Policy(balancing="round_robin"), Replica(), Replica(), gone=1) as found:
        for _ in range(30):
            assert (await found.request("POST", "/")).status == 200


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_another_endpoint_is_asked_when_one_cannot_serve(status: int) -> None:
    policy = Policy(balancing="round_robin", ejection=False)
    async with upstream(policy, Replica(status), Replica()) as found:
        assert {(await found.request("GET", "/")).status for _ in range(10)} == {200}


async def test_a_POST_without_a_key_is_not_asked_of_another() -> None:
    bad, good = Replica(503), Replica()
    async with upstream(Policy(balancing="round_robin", ejection=False), bad, good) as found:
        statuses = Counter([(await found.request("POST", "/")).status for _ in range(10)])
    assert statuses == {200: 5, 503: 5}
    assert bad.asked + good.asked == 10


async def test_where_all_cannot_serve_the_answer_is_theirs() -> None:
    async with upstream(Policy(), Replica(503), Replica(503)) as found:
        assert (await found.request("GET", "/")).status == 503


async def test_an_endpoint_that_answers_500_at_once_is_left_out() -> None:
    bad, good = Replica(500), Replica()
    async with upstream(Policy(balancing="round_robin"), bad, good) as found:
        for _ in range(60):
            await found.request("GET", "/")
        assert bad.asked == 5
        assert metric("orderly_upstream_endpoints", upstream="stock", state="ejected") == 1


async def test_a_black_hole_takes_half_of_the_time_and_another_answers_in_the_rest() -> None:
    hole, good = Replica(delay=60), Replica()
    async with upstream(Policy(balancing="round_robin", deadline=1.0), hole, good) as found:
        statuses = [(await found.request("GET", "/")).status for _ in range(4)]
    assert statuses == [200] * 4
    assert hole.asked >= 1


async def test_a_late_read_is_hedged_and_a_write_is_not() -> None:
    slow, quick = Replica(delay=60), Replica()
    async with upstream(Policy(balancing="round_robin", hedge=0.02, deadline=20.0), slow, quick) as found:
        for _ in range(4):
            assert (await found.request("GET", "/")).status == 200
        assert slow.asked + quick.asked > 4
        assert metric("orderly_upstream_repeats_total", upstream="stock", kind="hedge") >= 1


async def test_the_bulkhead_bounds_what_one_slow_upstream_can_hold() -> None:
    slow = Replica(delay=0.2)
    async with upstream(Policy(bulkhead=3), slow) as found:
        outcomes = await asyncio.gather(*(found.request("GET", "/") for _ in range(10)), return_exceptions=True)
    assert slow.most_at_once == 3
    assert sum(isinstance(it, Refused) for it in outcomes) == 4
    assert sum(not isinstance(it, Exception) for it in outcomes) == 6


async def test_the_breaker_tells_callers_at_once_and_shows_on_the_metrics() -> None:
    dead = Replica(delay=60)
    async with upstream(Policy(deadline=0.2), dead, name="dead") as found:
        outcomes = await asyncio.gather(*(found.request("GET", "/") for _ in range(20)), return_exceptions=True)
        assert {type(it) for it in outcomes} == {Late}
        assert metric("orderly_upstream_breaker", upstream="dead") == 2
        with pytest.raises(Refused, match="left alone"):
            await found.request("GET", "/")
        assert dead.asked == 20
        assert metric("orderly_upstream_requests_total", upstream="dead", outcome="late") == 20
        assert metric("orderly_upstream_requests_total", upstream="dead", outcome="refused") == 1


async def test_retries_are_a_share_of_the_traffic_even_when_everything_fails() -> None:
    before = metric("orderly_upstream_repeats_total", upstream="gone", kind="retry")
    async with upstream(Policy(breaker=0.0), gone=1, name="gone") as found:
        for _ in range(10):
            outcomes = await asyncio.gather(*(found.request("GET", "/") for _ in range(30)), return_exceptions=True)
            assert {type(it) for it in outcomes} == {Unavailable}
    retries = metric("orderly_upstream_repeats_total", upstream="gone", kind="retry") - before
    assert retries < 20 + 0.1 * 300 + 20  # the reserve, the share, a trickle
    assert metric("orderly_upstream_repeats_total", upstream="gone", kind="over_budget") > 0


async def test_who_leaves_gives_back_what_it_held() -> None:
    slow = Replica(delay=60)
    async with upstream(Policy(bulkhead=1), slow, name="left") as found:
        caller = asyncio.create_task(found.request("GET", "/"))
        await slow.heard.wait()
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        assert metric("orderly_upstream_in_flight", upstream="left") == 0


def test_a_policy_is_a_line_of_text() -> None:
    policy = Policy(zone="a").but("balancing=ewma hedge=0.05 breaker=0 ejection=off attempts=1")
    assert policy == Policy(zone="a", balancing="ewma", hedge=0.05, breaker=0.0, ejection=False, attempts=1)
    assert Policy().but("") == Policy()


@pytest.mark.parametrize("text", ["balancing=best", "hedge", "attempts=many", "speed=1", "ejection=maybe"])
def test_what_a_policy_does_not_know_is_said_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError):
        Policy().but(text)
