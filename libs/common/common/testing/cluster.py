"""A namespace of a real Kubernetes cluster for tests and measurements: pods that come, go and turn ready on command.

KUBECONFIG says which cluster. The pods run the pause image that every node has, so nothing is pulled; a readiness gate that
only we open and close makes them ready. All of it goes with the namespace.
"""

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from kubernetes.aio import client, config

from common.discovery.by_kubernetes import Kubernetes
from common.testing.discovery_contract import Site

SERVICE = "order"
GATE = "orderly.example/ready"
START_WITHIN = 60.0


def reachable() -> str | None:
    """What is missing."""
    path = os.environ.get("KUBECONFIG", "")
    return None if path and Path(path).is_file() else "KUBECONFIG names no file: start a cluster, and export it"


class Cluster(Site):
    """`addresses` are those of the pods, by number."""

    def __init__(self, api: client.ApiClient, configuration: client.Configuration, namespace: str, image: str) -> None:
        self.namespace = namespace
        self._configuration = configuration
        self._core: Any = client.CoreV1Api(api)
        self._image = image
        self._addresses: dict[int, str] = {}

    def discovery(self) -> Kubernetes:
        return Kubernetes(self.namespace, SERVICE, "api", configuration=self._configuration)

    def address(self, number: int) -> str:
        return self._addresses[number]

    async def start(self, number: int) -> None:
        """A pod that runs and is not ready."""
        name = f"order-{number}"
        spec = {
            "containers": [{"name": "pause", "image": self._image, "imagePullPolicy": "IfNotPresent"}],
            "readinessGates": [{"conditionType": GATE}],
            "terminationGracePeriodSeconds": 0,
        }
        pod = {"metadata": {"name": name, "labels": {"app": SERVICE}}, "spec": spec}
        await self._core.create_namespaced_pod(self.namespace, pod)
        started = await _until(
            lambda: self._core.read_namespaced_pod(name, self.namespace), lambda it: it.status.pod_ip
        )
        self._addresses[number] = f"http://{started.status.pod_ip}:8443"

    async def ready(self, number: int, ready: bool) -> None:
        status = {"conditions": [{"type": GATE, "status": str(ready)}]}
        await self._core.patch_namespaced_pod_status(f"order-{number}", self.namespace, {"status": status})

    async def add(self, number: int) -> None:
        await self.start(number)
        await self.ready(number, True)

    async def hide(self, number: int) -> None:
        await self.ready(number, False)

    async def remove(self, number: int) -> None:
        await self._core.delete_namespaced_pod(f"order-{number}", self.namespace, grace_period_seconds=0)

    async def cut(self) -> None:
        """An API server whose address leads nowhere. Only for who starts after it."""
        self._configuration = client.Configuration(host="http://127.0.0.1:1")

    async def mend(self) -> None:
        raise NotImplementedError("who watches keeps the address that it was given")


@contextlib.asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """A namespace with a headless Service `order`, port `api`."""
    configuration = client.Configuration()
    load: Any = config
    await load.load_kube_config(client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        core: Any = client.CoreV1Api(api)
        nodes = (await core.list_node()).items
        image = next(name for node in nodes for it in node.status.images for name in it.names or () if "pause" in name)
        namespace = f"orderly-test-{uuid.uuid4().hex[:8]}"
        await core.create_namespace({"metadata": {"name": namespace}})
        try:
            ports = [{"name": "api", "port": 8443}]
            spec = {"clusterIP": "None", "selector": {"app": SERVICE}, "ports": ports}
            await core.create_namespaced_service(namespace, {"metadata": {"name": SERVICE}, "spec": spec})
            accounts = lambda: core.list_namespaced_service_account(namespace)  # noqa: E731  asked again and again
            await _until(accounts, lambda it: it.items)  # pods are refused until a controller has made it
            yield Cluster(api, configuration, namespace, image)
        finally:
            await core.delete_namespace(namespace)


async def _until(look: Callable[[], Awaitable[Any]], holds: Callable[[Any], object]) -> Any:
    ends = asyncio.get_running_loop().time() + START_WITHIN
    while not holds(found := await look()):
        if asyncio.get_running_loop().time() > ends:
            raise TimeoutError(f"not so within {START_WITHIN:g} s: {found}")
        await asyncio.sleep(0.2)
    return found
