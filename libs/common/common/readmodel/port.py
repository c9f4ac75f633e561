"""What Orderly asks of a read model. Every store passes `common.testing.readmodel_contract` unchanged.

A read model holds documents (by key, each with the version of the aggregate it shows), lists (members in the order of
their sort key, for listings and timelines) and positions (how far the fold has read). All are written together: a crash
between data and checkpoint cannot happen. It may be thrown away and rebuilt from the log at any time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Document(NamedTuple):
    """`version` is that of the last event folded in; `body` is JSON."""

    key: str
    version: int
    body: bytes


class Entry(NamedTuple):
    """A member of a list. (list, sort) names it: writing it again replaces it, so a replay adds nothing."""

    list: str
    sort: str
    body: bytes


class ReadModel(Protocol):
    """The writing side, used by one projector thread."""

    @property
    def generation(self) -> str:
        """Changes when the model was rebuilt and switched: whoever writes must then go on from its `positions`."""
        ...

    def load(self, keys: Sequence[str]) -> Mapping[str, Document]:
        """The documents that exist among `keys`."""
        ...

    def documents(self) -> Iterator[Document]:
        """All of them, in no particular order; some may change meanwhile."""
        ...

    def apply(self, documents: Sequence[Document], entries: Sequence[Entry], positions: Mapping[str, int]) -> None:
        """Write all of it or nothing. A document not newer than the stored one is left alone (a replayed batch is
        harmless), and a position never goes backwards. Rings the bell with the names of all that was written."""
        ...

    def positions(self) -> Mapping[str, int]:
        """The checkpoint: empty for a model that was lost and has to be rebuilt from the first event."""
        ...

    def serve(self) -> None:
        """All that was in the log when `positions` were read is folded in: from now on answers may count. Does nothing for a
        model that is served already, or that a generation was named for."""
        ...

    def close(self) -> None: ...


class Generations(Protocol):
    """The builds of one read model. One of them is served; a new one is built beside it, then switched to, which is atomic:
    whoever asks sees the old or the new one whole."""

    def names(self) -> Sequence[str]:
        """Oldest first."""
        ...

    def current(self) -> str | None:
        """The served one; None where there is none, or it was lost."""
        ...

    def new(self) -> str:
        """Begin one, and return its name: one that never was, to open a read model under."""
        ...

    def switch(self, name: str, *, behind: bool = False) -> bool:
        """Serve this one from now on; the live projector and the views follow within a second. One that has folded less than
        the served one is refused with False, and nothing changes: else answers would go back, or stop. With `behind` it is
        taken all the same, for a served one that no fold can reach, because it is damaged."""
        ...

    def condemn(self, name: str) -> None:
        """It is damaged: serve it no longer, so that the live projector starts a new one."""
        ...

    def drop(self, name: str) -> None:
        """Delete one that is not served."""
        ...


class View(Protocol):
    """The asking side, on an event loop. Each answer is from one consistent moment. Raises Unavailable."""

    async def get(self, key: str) -> Document | None: ...

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Document]: ...

    async def list(self, name: str, *, after: str = "", limit: int = 50, newest_first: bool = False) -> Sequence[Entry]:
        """Members whose sort key lies strictly beyond `after` (all, when it is empty), at most `limit`."""
        ...

    async def positions(self) -> Mapping[str, int]: ...

    async def changed(self, name: str, within: float) -> None:
        """Return when the document, list or position `name` may have changed, or after `within` seconds, maybe earlier."""
        ...

    def close(self) -> None: ...
