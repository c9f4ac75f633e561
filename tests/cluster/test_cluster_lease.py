"""The Lease of a real API server keeps the laws of the port."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from kubernetes.aio import client

from common.errors import Unavailable
from common.leader import Lease
from common.leader.by_kubernetes import KubernetesLease
from common.testing.cluster import Cluster, cluster, reachable
from common.testing.lease_contract import LeaseContract

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(180),
    pytest.mark.skipif(reachable() is not None, reason=reachable() or ""),
]


class TestKubernetesLease(LeaseContract):
    @pytest.fixture
    async def site(self) -> AsyncIterator[Cluster]:
        async with cluster() as found:
            yield found

    @pytest.fixture
    async def opened(self, site: Cluster) -> AsyncIterator[Callable[[], Lease]]:
        leases: list[KubernetesLease] = []

        def open_() -> Lease:
            leases.append(KubernetesLease("auditor", site.namespace))
            return leases[-1]

        yield open_
        await asyncio.gather(*(each.close() for each in leases))

    async def test_an_api_server_that_cannot_be_reached_is_unavailable(self) -> None:
        lease = KubernetesLease("auditor", "default", client.Configuration(host="http://127.0.0.1:1"))
        with pytest.raises(Unavailable):
            await lease.take("one", 10)
        await lease.close()
