"""EndpointSlices of a real API server: pods turn ready, stop being it, and die; versions become too old to go on from."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import watch

from common.testing.cluster import Cluster, cluster, reachable
from common.testing.discovery_contract import Watcher, watching

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(180),
    pytest.mark.skipif(reachable() is not None, reason=reachable() or ""),
]


@pytest.fixture
async def site() -> AsyncIterator[Cluster]:
    async with cluster() as found:
        yield found


async def test_pods_are_seen_when_they_are_ready_and_gone_when_they_are_not(site: Cluster) -> None:
    await site.add(1)
    async with watching(site) as watcher:
        await watcher.sees(site.address(1))
        await site.start(2)
        assert watcher.ready() == [site.address(1)]
        await site.ready(2, True)
        await watcher.sees(site.address(1), site.address(2))
        await site.hide(1)
        found = await watcher.sees(site.address(2))
        assert [it.address for it in found if not it.ready] == [site.address(1)]
        await site.remove(2)
        await watcher.sees()


async def test_what_happened_before_the_watch_is_in_the_list(site: Cluster) -> None:
    for number in (1, 2, 3):
        await site.add(number)
    async with watching(site) as watcher:
        await watcher.sees(*(site.address(number) for number in (1, 2, 3)))


async def test_a_version_that_is_too_old_is_gone_and_the_list_knows_better(
    site: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first watch is made to ask for a version from before the cluster began: the real 410 of a real server."""
    asked: list[str] = []
    real = watch.Watch.stream

    def stream(self: watch.Watch, function: Any, *arguments: Any, **named: Any) -> Any:
        named["resource_version"] = named["resource_version"] if asked else "1"
        asked.append(named["resource_version"])
        return real(self, function, *arguments, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(watch.Watch, "stream", stream)
    await site.add(1)
    watcher = Watcher(site.discovery())
    await watcher.sees(site.address(1))
    await site.add(2)
    await watcher.sees(site.address(1), site.address(2))
    await watcher.close()
    assert asked[0] == "1"
    assert len(asked) > 1


async def test_an_API_server_out_of_reach_tells_nothing_and_breaks_nothing(site: Cluster) -> None:
    await site.cut()
    async with watching(site) as watcher:
        await asyncio.sleep(1)
        assert watcher.lists == []
