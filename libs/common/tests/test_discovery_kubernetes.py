"""EndpointSlices, listed and watched, against an API server on a real socket that forgets, breaks off and falls silent at will.

The same against a real API server: tests/cluster/test_discovery.py.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from kubernetes.aio.client import Configuration
from starlette.responses import JSONResponse, StreamingResponse

from common.discovery import Endpoint
from common.discovery.by_kubernetes import Kubernetes
from common.testing.discovery_contract import DiscoveryContract, Site, Watcher
from common.testing.http import serving

GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


def endpoint(number: int, **conditions: bool) -> dict[str, Any]:
    return {
        "addresses": [f"10.0.0.{number}"],
        "conditions": {"ready": True, **conditions},
        "zone": f"zone-{number % 2}",
    }


def endpoint_slice(name: str, *endpoints: dict[str, Any], family: str = "IPv4") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "resourceVersion": "0"},
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": [{"name": "api", "port": 8443}, {"name": "admin", "port": 9464}],
    }


@dataclass
class ApiServer:
    """Keeps slices by name, and all changes since `oldest`."""

    slices: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    version: int = 100
    oldest: int = 0
    away: bool = False
    lists: int = 0
    watches: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, it: dict[str, Any]) -> None:
        self._tell("MODIFIED" if it["metadata"]["name"] in self.slices else "ADDED", it)
        self.slices[it["metadata"]["name"]] = it

    def delete(self, name: str) -> None:
        self._tell("DELETED", self.slices.pop(name))

    def break_off(self) -> None:
        """Every watch ends, as when a proxy or an API server restarts."""
        self._tell("", {"metadata": {}})

    def forget(self) -> None:
        """What etcd's compaction does: no watch can go on from before."""
        self.oldest = self.version + 1
        self.version += 1
        self.break_off()

    def _tell(self, kind: str, it: dict[str, Any]) -> None:
        self.version += 1
        it["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, {"type": kind, "object": it}))
        self.changed.set()
        self.changed = asyncio.Event()

    def application(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices")
        async def slices(request: Request) -> Response:
            if self.away:
                return JSONResponse({"kind": "Status", "code": 503}, 503)
            assert request.query_params["labelSelector"] == "kubernetes.io/service-name=order"
            if request.query_params.get("watch"):
                self.watches += 1
                return StreamingResponse(self._news(int(request.query_params["resourceVersion"])))
            self.lists += 1
            metadata = {"resourceVersion": str(self.version)}
            return JSONResponse(
                {"kind": "EndpointSliceList", "metadata": metadata, "items": list(self.slices.values())}
            )

        return app

    async def _news(self, after: int) -> AsyncIterator[bytes]:
        if after < self.oldest:
            yield json.dumps({"type": "ERROR", "object": GONE}).encode() + b"\n"
            return
        while not self.away:
            for version, event in list(self.events):
                if version > after:
                    after = version
                    if not event["type"]:
                        return
                    yield json.dumps(event).encode() + b"\n"
            bookmark = {"kind": "EndpointSlice", "metadata": {"resourceVersion": str(after)}}
            yield json.dumps({"type": "BOOKMARK", "object": bookmark}).encode() + b"\n"
            await self.changed.wait()


class Cluster(Site):
    def __init__(self, server: ApiServer, url: str) -> None:
        self.server = server
        self._url = url

    def discovery(self, port: str = "api") -> Kubernetes:
        return Kubernetes("shop", "order", port, configuration=Configuration(host=self._url))

    def address(self, number: int) -> str:
        return f"http://10.0.0.{number}:8443"

    async def add(self, number: int) -> None:
        self.server.put(endpoint_slice(f"order-{number}", endpoint(number)))

    async def remove(self, number: int) -> None:
        self.server.delete(f"order-{number}")

    async def hide(self, number: int) -> None:
        self.server.put(
            endpoint_slice(f"order-{number}", endpoint(number, ready=False, serving=True, terminating=True))
        )

    async def cut(self) -> None:
        self.server.away = True
        self.server.break_off()

    async def mend(self) -> None:
        self.server.away = False


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = ApiServer()
    async with serving(server.application()) as address:
        yield Cluster(server, address.url)


class TestKubernetes(DiscoveryContract):
    @pytest.fixture
    def site(self, cluster: Cluster) -> Site:
        return cluster


@contextlib.asynccontextmanager
async def watched(cluster: Cluster, port: str = "api") -> AsyncIterator[Watcher]:
    watcher = Watcher(cluster.discovery(port))
    try:
        yield watcher
    finally:
        await watcher.close()


async def test_zones_ports_and_readiness_are_honoured(cluster: Cluster) -> None:
    unknown = {"addresses": ["10.0.0.4"], "conditions": {}}
    cluster.server.put(endpoint_slice("a", endpoint(1), endpoint(2, ready=False), unknown))
    cluster.server.put(endpoint_slice("b", {"addresses": ["fd00::1"], "conditions": {"ready": True}}, family="IPv6"))
    cluster.server.put(endpoint_slice("c", endpoint(9), family="FQDN"))
    async with watched(cluster, "admin") as watcher:
        found = await watcher.sees("http://10.0.0.1:9464", "http://10.0.0.4:9464", "http://[fd00::1]:9464")
    assert Endpoint("http://10.0.0.1:9464", "zone-1") in found
    assert Endpoint("http://10.0.0.2:9464", "zone-0", ready=False) in found


async def test_an_endpoint_in_two_slices_is_one_and_ready_if_it_is_in_either(cluster: Cluster) -> None:
    cluster.server.put(endpoint_slice("a", endpoint(1)))
    cluster.server.put(endpoint_slice("b", endpoint(1, ready=False)))
    async with watched(cluster) as watcher:
        assert len(await watcher.sees("http://10.0.0.1:8443")) == 1


async def test_a_version_that_is_too_old_means_to_list_again(cluster: Cluster) -> None:
    await cluster.add(1)
    async with watched(cluster) as watcher:
        await watcher.sees(cluster.address(1))
        await cluster.add(2)
        await watcher.sees(cluster.address(1), cluster.address(2))
        cluster.server.forget()
        await cluster.remove(1)
        await watcher.sees(cluster.address(2))
        assert cluster.server.lists >= 2


async def test_news_that_was_missed_while_a_watch_was_broken_is_in_the_next_list(cluster: Cluster) -> None:
    await cluster.add(1)
    async with watched(cluster) as watcher:
        await watcher.sees(cluster.address(1))
        for number in (2, 3):
            cluster.server.break_off()
            await cluster.add(number)
        await watcher.sees(*(cluster.address(number) for number in (1, 2, 3)))


async def test_a_watch_goes_on_from_its_list_and_is_not_repeated_without_need(cluster: Cluster) -> None:
    await cluster.add(1)
    async with watched(cluster) as watcher:
        await watcher.sees(cluster.address(1))
        for number in (2, 3, 4):
            await cluster.add(number)
            await watcher.sees(*(cluster.address(it) for it in range(1, number + 1)))
        assert (cluster.server.lists, cluster.server.watches) == (1, 1)


def test_it_is_not_imported_by_those_who_do_not_watch() -> None:
    code = "import common.http_client, common.discovery.urls, sys; sys.exit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
