"""Self-registration: tells the registry again and again that this process is there, and takes leave when it drains."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import structlog

from common.discovery.port import Endpoint
from common.errors import Unavailable
from common.http_client import Upstream
from common.resilience.policy import Policy
from common.security.credentials import Credentials
from common.topology import REGISTRY

HEARTBEAT = 0.5  # seconds
LEASE = 5.0  # seconds without a heartbeat, after which the registry forgets us

_log = structlog.get_logger("registration")


class Registration:
    """`endpoint` is asked for at each heartbeat: readiness changes. A registry that is away is told later."""

    def __init__(
        self,
        registry: str,
        service: str,
        instance: str,
        endpoint: Callable[[], Endpoint],
        credentials: Credentials | None = None,
    ) -> None:
        policy = Policy(deadline=LEASE / 2, attempts=1, breaker=0.0)
        self._upstream = Upstream(REGISTRY, registry, policy, credentials=credentials)
        self._path = f"/v1/services/{quote(service, safe='')}/{quote(instance, safe='')}"
        self._endpoint = endpoint
        self._heard = True
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns after the first heartbeat, whether it was heard or not."""
        await self._beat()
        self._beating = asyncio.create_task(self._go_on())

    async def leave(self) -> None:
        """Nobody is to come any more. Who asks just now may still have the old list: keep serving for a moment."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self._upstream.request("DELETE", self._path)
        await self._upstream.close()

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT * random.uniform(0.9, 1.1))
            await self._beat()

    async def _beat(self) -> None:
        told = {"endpoint": self._endpoint(), "heartbeat": HEARTBEAT, "lease": LEASE}
        headers = {"Content-Type": "application/json"}
        try:
            answer = await self._upstream.request("PUT", self._path, headers, msgspec.json.encode(told))
            problem = None if answer.status == 204 else f"it answers {answer.status}"
        except Unavailable as error:
            problem = str(error)
        if (problem is None) != self._heard:
            self._heard = problem is None
            _log.info("registry hears us again" if self._heard else "registry does not hear us", problem=problem)
