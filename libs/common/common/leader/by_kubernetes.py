"""A Lease of coordination.k8s.io/v1, as client-go's leader election uses it: any two of them agree.

Whether the holder is silent is judged by our own clock, from the moment at which we first saw its last renewal: the clocks of
nodes need not agree. Each write names the resourceVersion that it replaces, so of two who try at once one is refused. The token
is leaseTransitions. Needs get, create and update of `leases`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.discovery.by_kubernetes import own_configuration
from common.errors import Unavailable

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

PATIENCE = 5  # seconds for an answer
_CONFLICT, _NOT_FOUND = 409, 404
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class KubernetesLease:
    """`namespace` empty: our own. `configuration` None: the pod's, else that of kubectl."""

    def __init__(
        self,
        name: str,
        namespace: str = "",
        configuration: "Configuration | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._namespace = namespace or _own_namespace()
        self._configuration = configuration
        self._clock = clock
        self._opened = AsyncExitStack()
        self._leases: Any = None
        self._seen: tuple[str, float] = ("", 0.0)  # a resourceVersion, and when we saw it first

    async def take(self, holder: str, seconds: int) -> int | None:
        from kubernetes.aio.client import ApiException

        now = datetime.now(UTC)
        spec: dict[str, Any] = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": now}
        try:
            found = await self._found()
            if found is None:
                body = {"metadata": {"name": self._name}, "spec": {**spec, "leaseTransitions": 1, "acquireTime": now}}
                return _token(await self._ask(lambda api: api.create_namespaced_lease(self._namespace, body)))
            if found.spec.holder_identity == holder:
                found.spec.renew_time, found.spec.lease_duration_seconds = now, seconds
            elif not found.spec.holder_identity or self._silent(found):
                found.spec.holder_identity, found.spec.lease_duration_seconds = holder, seconds
                found.spec.acquire_time = found.spec.renew_time = now
                found.spec.lease_transitions = (found.spec.lease_transitions or 0) + 1
            else:
                return None
            return _token(await self._replace(found))
        except ApiException as error:
            if error.status == _CONFLICT:
                return None  # somebody else was faster
            raise Unavailable(f"lease {self._name}: the API server answers {error.status}") from error

    async def holder(self) -> str | None:
        found = await self._found()
        return None if found is None or self._silent(found) else found.spec.holder_identity or None

    async def release(self, holder: str) -> None:
        from kubernetes.aio.client import ApiException

        found = await self._found()
        if found is not None and found.spec.holder_identity == holder:
            found.spec.holder_identity = ""
            try:
                await self._replace(found)
            except ApiException as error:
                if error.status != _CONFLICT:  # somebody else has it by now
                    raise Unavailable(f"lease {self._name}: the API server answers {error.status}") from error

    async def close(self) -> None:
        await self._opened.aclose()

    async def _found(self) -> Any:
        """The Lease as it is now; None when there is none."""
        from kubernetes.aio.client import ApiException

        try:
            found = await self._ask(lambda api: api.read_namespaced_lease(self._name, self._namespace))
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise Unavailable(f"lease {self._name}: the API server answers {error.status}") from error
        if found.metadata.resource_version != self._seen[0]:
            self._seen = found.metadata.resource_version, self._clock()
        return found

    def _silent(self, found: Any) -> bool:
        return self._clock() - self._seen[1] >= float(found.spec.lease_duration_seconds)

    async def _replace(self, found: Any) -> Any:
        return await self._ask(lambda api: api.replace_namespaced_lease(self._name, self._namespace, found))

    async def _ask(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        import aiohttp
        from kubernetes.aio import client

        try:
            async with asyncio.timeout(PATIENCE):
                if self._leases is None:
                    api = client.ApiClient(self._configuration or await own_configuration())
                    self._leases = client.CoordinationV1Api(await self._opened.enter_async_context(api))
                return await question(self._leases)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"lease {self._name}: the API server cannot be reached: {error}") from error


def _token(lease: Any) -> int:
    return int(lease.spec.lease_transitions)


def _own_namespace() -> str:
    return _NAMESPACE.read_text().strip() if _NAMESPACE.exists() else "default"
