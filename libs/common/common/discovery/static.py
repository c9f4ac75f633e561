"""A list of endpoints that somebody wrote down. It never changes."""

from collections.abc import AsyncIterator, Sequence

from common.discovery.port import Endpoint


class Static:
    def __init__(self, *endpoints: Endpoint) -> None:
        self._endpoints = sorted(endpoints, key=lambda endpoint: endpoint.address)

    async def watch(self) -> AsyncIterator[Sequence[Endpoint]]:
        yield self._endpoints
