"""The registry: who says so is there, who falls silent is suspected and then forgotten, and who watches hears of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from common.discovery import Discovery, Endpoint
from common.discovery import registration as heartbeats
from common.discovery.by_registry import Registry
from common.discovery.registration import Registration
from common.testing.discovery_contract import DiscoveryContract, Site, Watcher
from common.testing.http import Address, called_by, serving
from registry import api
from registry.leases import Leases
from registry.watching import Watching

A, B = Endpoint("http://a:1"), Endpoint("http://b:1", zone="z", weight=2.0)


class Town(Site):
    """A registry behind a door that can be shut, and processes that register there."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._registered: dict[int, Registration] = {}
        self._ready: dict[int, bool] = {}
        self._shut = False

    async def open(self) -> None:
        watching = Watching(Leases(), 0.0, time.monotonic)
        await watching.start()
        self._stack.push_async_callback(watching.stop)
        app = api.build(watching)

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            if self._shut:
                await asyncio.sleep(0.1)
                raise ConnectionError("shut")
            await app(scope, receive, send)

        self._address = await self._stack.enter_async_context(serving(called_by("order", door)))

    async def close(self) -> None:
        self._shut = False
        for number in list(self._registered):
            await self.remove(number)
        await self._stack.aclose()

    def discovery(self) -> Discovery:
        return Registry(self._address.url, "order")

    def address(self, number: int) -> str:
        return f"http://10.0.0.{number}:8443"

    async def add(self, number: int) -> None:
        self._ready[number] = True
        endpoint = lambda: Endpoint(self.address(number), ready=self._ready[number])  # noqa: E731 asked at each heartbeat
        self._registered[number] = it = Registration(self._address.url, "order", str(number), endpoint)
        await it.start()

    async def remove(self, number: int) -> None:
        await self._registered.pop(number).leave()

    async def hide(self, number: int) -> None:
        self._ready[number] = False

    async def cut(self) -> None:
        self._shut = True

    async def mend(self) -> None:
        self._shut = False


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No suspicions while a busy machine runs tests."""
    monkeypatch.setattr(heartbeats, "LEASE", 30.0)
    monkeypatch.setattr("registry.leases.SUSPICIOUS", 99.0)


class TestRegistry(DiscoveryContract):
    @pytest.fixture
    async def site(self) -> AsyncIterator[Site]:
        town = Town()
        await town.open()
        yield town
        await town.close()


def test_who_is_there_is_listed_by_address_until_it_leaves() -> None:
    leases = Leases()
    leases.heartbeat("order", "2", B, 1, 5, 0)
    leases.heartbeat("order", "1", A, 1, 5, 0)
    assert leases.endpoints("order", 1) == [A, B]
    assert leases.endpoints("payment", 1) == []
    leases.leave("order", "1")
    leases.leave("order", "unknown")
    assert leases.endpoints("order", 1) == [B]


def test_silence_makes_suspicious_before_the_lease_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.leases.SUSPICIOUS", 8.0)
    leases = Leases()
    for now in range(10):
        leases.heartbeat("order", "1", A, 1, 5, now)
    assert leases.endpoints("order", 10) == [A]
    (suspected,) = leases.endpoints("order", 12)
    assert not suspected.ready
    leases.heartbeat("order", "1", A, 1, 5, 12)
    assert leases.endpoints("order", 12.5) == [A]
    assert leases.endpoints("order", 17.1) == []


@given(beats=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 10)), max_size=50))
def test_nobody_is_listed_beyond_its_lease(beats: Sequence[tuple[int, float]]) -> None:
    leases, now, last = Leases(), 0.0, {}
    for number, pause in beats:
        now += pause
        leases.heartbeat("order", str(number), Endpoint(f"http://{number}"), 1, 5, now)
        last[f"http://{number}"] = now
    listed = {it.address for it in leases.endpoints("order", now + 2)}
    assert listed == {address for address, at in last.items() if at + 5 > now + 2}


@contextlib.asynccontextmanager
async def running(learning: float = 0.0) -> AsyncIterator[Address]:
    watching = Watching(Leases(), learning, time.monotonic)
    await watching.start()
    async with serving(called_by("order", api.build(watching))) as address:
        yield address
    await watching.stop()


BEAT = b'{"endpoint":{"address":"http://a:1"},"heartbeat":1,"lease":%d}'
JSON = {"Content-Type": "application/json"}


async def test_a_registry_that_has_just_started_sends_nobody_to_an_empty_list() -> None:
    async with running(learning=1.0) as address:
        reply = await address.request("GET", "/v1/services/order")
        assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (503, True, "1")
        watcher = Watcher(Registry(address.url, "order"))
        assert (await address.request("PUT", "/v1/services/order/1", JSON, BEAT % 30)).status == 204
        await watcher.sees("http://a:1")
        assert len(watcher.lists) == 1
        await watcher.close()


async def test_nobody_registers_another_service_or_takes_it_away() -> None:
    async with running() as address:
        for method, body in (("PUT", BEAT % 30), ("DELETE", b"")):
            reply = await address.request(method, "/v1/services/payment/1", JSON, body)
            assert (reply.status, reply.is_problem) == (403, True)


async def test_the_end_of_a_lease_is_news() -> None:
    async with running() as address:
        await address.request("PUT", "/v1/services/order/1", JSON, BEAT % 1)
        watcher = Watcher(Registry(address.url, "order"))
        await watcher.sees("http://a:1")
        await watcher.sees()
        await watcher.close()


async def test_a_long_poll_ends_without_news_and_with_the_same_version() -> None:
    async with running() as address:
        first = (await address.request("GET", "/v1/services/order")).json()
        again = await address.request("GET", f"/v1/services/order?after={first['version']}&wait=1")
        assert again.json() == first


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"endpoint":{"address":"file:///etc"},"heartbeat":1,"lease":1}',
        b'{"endpoint":{"address":"http://a","weight":0},"heartbeat":1,"lease":1}',
        b'{"endpoint":{"address":"http://a"},"heartbeat":1,"lease":-1}',
    ],
)
async def test_a_heartbeat_that_makes_no_sense_is_refused(body: bytes) -> None:
    async with running() as address:
        reply = await address.request("PUT", "/v1/services/order/1", JSON, body)
        assert (reply.status, reply.is_problem) == (422, True)


@pytest.mark.parametrize("wait", ["-1", "x", "1e9", "99999"])
async def test_a_wait_that_makes_no_sense_is_refused(wait: str) -> None:
    async with running() as address:
        assert (await address.request("GET", f"/v1/services/order?wait={wait}")).status == 422
