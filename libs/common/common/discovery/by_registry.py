"""Endpoints that have registered themselves: asked of the registry by long polls, so that news takes no longer than the way."""

from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote

import msgspec
import structlog

from common.discovery.backoff import Backoff
from common.discovery.port import Endpoint
from common.errors import Unavailable
from common.http_client import Upstream
from common.resilience.policy import Policy
from common.security.credentials import Credentials
from common.topology import REGISTRY

WAIT = 20  # seconds for one long poll

_log = structlog.get_logger("registry")


class Listing(msgspec.Struct, frozen=True):
    """What the registry knows of a service. `version` is opaque, and changes with it."""

    version: str
    endpoints: tuple[Endpoint, ...]


_read = msgspec.json.Decoder(Listing).decode


class Registry:
    """One service, as the registry at `url` knows it."""

    def __init__(self, url: str, service: str, credentials: Credentials | None = None) -> None:
        self._url = url
        self._credentials = credentials
        self._path = f"/v1/services/{quote(service, safe='')}"

    async def watch(self) -> AsyncIterator[Sequence[Endpoint]]:
        """A registry that has just started knows nobody yet, and says so (503): the last list stands."""
        backoff = Backoff()
        version = ""
        policy = Policy(deadline=5.0, attempts=1, breaker=0.0)
        upstream = Upstream(REGISTRY, self._url, policy, credentials=self._credentials)
        try:
            while True:
                try:
                    path = f"{self._path}?after={quote(version, safe='')}&wait={WAIT}"
                    answer = await upstream.request("GET", path, waits=WAIT)
                    if answer.status != 200:
                        raise Unavailable(f"the registry answers {answer.status}")
                    listing = _read(answer.body)
                except (Unavailable, msgspec.MsgspecError) as error:
                    _log.info("registry does not tell", error=str(error))
                    await backoff.pause()
                    continue
                backoff.succeeded()
                if listing.version != version:
                    version = listing.version
                    yield listing.endpoints
        finally:
            await upstream.close()
