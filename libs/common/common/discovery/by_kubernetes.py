"""Endpoints as the Kubernetes API knows them: the EndpointSlices of a Service, listed and then watched.

    list ─▶ watch from the list's resourceVersion ─▶ (every RESYNC seconds, or when it breaks) ─▶ list again
                 └─ 410 Gone: that version is too old to go on from ─▶ list again at once

The list is the truth, the watch is news of it: whatever was missed, the next list mends. A pod that is not ready or terminates
stays in the list as not ready, so that it is asked only when there is no other. Needs get, list and watch of `endpointslices`.
"""

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from common.discovery.backoff import Backoff
from common.discovery.port import Endpoint

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

RESYNC = 300  # seconds that one watch lasts, so that a mistake lasts no longer
SILENCE = 30  # seconds beyond that, after which the connection is taken for dead

_log = structlog.get_logger("kubernetes")


class Kubernetes:
    """`port`: the name of the Service's port; empty: its only one. `configuration` None: the pod's, else that of kubectl."""

    def __init__(
        self,
        namespace: str,
        service: str,
        port: str = "",
        scheme: str = "http",
        configuration: "Configuration | None" = None,
    ) -> None:
        self._namespace = namespace
        self._service = service
        self._port = port
        self._scheme = scheme
        self._configuration = configuration

    async def watch(self) -> AsyncIterator[Sequence[Endpoint]]:
        from kubernetes.aio import client  # large, and needed only here

        backoff = Backoff()
        last: Sequence[Endpoint] | None = None
        async with client.ApiClient(self._configuration or await own_configuration()) as api:
            while True:
                try:
                    async for slices in self._slices(api):
                        backoff.succeeded()
                        found = self._endpoints(slices)
                        if found != last:
                            last = found
                            yield found
                except Exception as error:  # whatever an API server, a proxy or a network may do: the last list stands
                    gone = isinstance(error, client.ApiException) and error.status == 410
                    _log.info("watch ended", service=self._service, gone=gone, error=str(error).partition("\n")[0])
                    if not gone:
                        await backoff.pause()

    async def _slices(self, api: Any) -> AsyncIterator[Iterable[Any]]:
        """All slices, after each change; ends when it is time to list again."""
        from kubernetes.aio import client, watch

        list_slices = client.DiscoveryV1Api(api).list_namespaced_endpoint_slice
        chosen: Any = {"label_selector": f"kubernetes.io/service-name={self._service}"}
        listed: Any = await list_slices(self._namespace, **chosen, _request_timeout=SILENCE)
        slices = {it.metadata.name: it for it in listed.items}
        yield slices.values()
        watching: Any = watch.Watch
        async with watching() as news:
            async for event in news.stream(
                list_slices,
                self._namespace,
                **chosen,
                resource_version=listed.metadata.resource_version,
                allow_watch_bookmarks=True,
                timeout_seconds=RESYNC,
                _request_timeout=RESYNC + SILENCE,
            ):
                if event["type"] == "DELETED":
                    slices.pop(event["object"].metadata.name, None)
                elif event["type"] in ("ADDED", "MODIFIED"):
                    slices[event["object"].metadata.name] = event["object"]
                yield slices.values()

    def _endpoints(self, slices: Iterable[Any]) -> Sequence[Endpoint]:
        """An endpoint may be in two slices while it moves between them: ready in one is ready."""
        found: dict[str, Endpoint] = {}
        for each in slices:
            port = next((it.port for it in each.ports or () if self._port in ("", it.name)), None)
            if port is None or each.address_type == "FQDN":
                continue
            for it in each.endpoints or ():
                host = f"[{it.addresses[0]}]" if each.address_type == "IPv6" else it.addresses[0]
                ready = it.conditions is None or it.conditions.ready is not False  # unknown is ready, says the API
                endpoint = Endpoint(f"{self._scheme}://{host}:{port}", it.zone or "", ready=ready)
                if ready or endpoint.address not in found:
                    found[endpoint.address] = endpoint
        return sorted(found.values(), key=lambda endpoint: endpoint.address)


async def own_configuration() -> "Configuration":
    """The pod's, else that of kubectl."""
    from kubernetes.aio import client, config

    load: Any = config
    chosen = client.Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        load.load_incluster_config(client_configuration=chosen)
    else:
        await load.load_kube_config(client_configuration=chosen)
    return chosen
