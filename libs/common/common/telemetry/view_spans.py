"""Spans of what an API asks of its read model, labelled as OpenTelemetry's semantic conventions for databases have it."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar

from common.readmodel import Document, Entry, View
from common.telemetry import traces
from common.telemetry.messaging_spans import querying

_again: ContextVar[bool] = ContextVar("again", default=False)  # this task has waited for a change


class TracedView:
    """A view, each question to it under a span. To wait for a change is no question, to look again then no new one."""

    def __init__(self, view: View, name: str) -> None:
        self._view = view
        self._name = name
        self.positions, self.close = view.positions, view.close

    async def changed(self, name: str, within: float) -> None:
        await self._view.changed(name, within)
        _again.set(True)

    async def get(self, key: str) -> Document | None:
        if _again.get():
            _again.set(False)
            return await self._view.get(key)
        with traces.span(f"get {self._name}", "client", querying("get", self._name)):
            return await self._view.get(key)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Document]:
        with traces.span(f"get {self._name}", "client", querying("get", self._name)):
            return await self._view.get_many(keys)

    async def list(self, name: str, *, after: str = "", limit: int = 50, newest_first: bool = False) -> Sequence[Entry]:
        with traces.span(f"list {self._name}", "client", querying("list", self._name)):
            return await self._view.list(name, after=after, limit=limit, newest_first=newest_first)
