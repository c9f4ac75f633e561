"""Spans of what an API asks of its read model, labelled as OpenTelemetry's semantic conventions for databases have it."""

from collections.abc import Mapping, Sequence

from common.readmodel import Document, Entry, View
from common.telemetry import traces
from common.telemetry.messaging_spans import querying


class TracedView:
    """A view, each question to it under a span. Waiting for a change is no question."""

    def __init__(self, view: View, name: str) -> None:
        self._view = view
        self._name = name
        self.positions, self.changed, self.close = view.positions, view.changed, view.close

    async def get(self, key: str) -> Document | None:
        with traces.span(f"get {self._name}", "client", querying("get", self._name)):
            return await self._view.get(key)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Document]:
        with traces.span(f"get {self._name}", "client", querying("get", self._name)):
            return await self._view.get_many(keys)

    async def list(self, name: str, *, after: str = "", limit: int = 50, newest_first: bool = False) -> Sequence[Entry]:
        with traces.span(f"list {self._name}", "client", querying("list", self._name)):
            return await self._view.list(name, after=after, limit=limit, newest_first=newest_first)
