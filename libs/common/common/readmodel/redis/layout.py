"""Where a read model lies in Redis, and what its values look like.

    orderly:{order}:current                     the served generation
    orderly:{order}:generations                 all of them (a sorted set: oldest first)
    orderly:{order}:changed                     channel: the names that a batch has written, with NUL between them
    orderly:{order}:<generation>:documents      hash: key -> "<version> <body>"; the field STATE says whether it is whole
    orderly:{order}:<generation>:positions      hash: name -> position
    orderly:{order}:<generation>:list:<list>    sorted set, all scores 0: "<sort>NUL<body>"

`{order}` is a hash tag: everything of a service is in one slot of a Redis Cluster, so that scripts can write it together.
Keys, sort keys and names of lists contain no NUL.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from common.readmodel.port import Document, Entry

STATE = "\0"
BUILDING = b"building"  # a state; any other is the run_id of the Redis in which the generation was found whole


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one generation."""

    prefix: str
    name: str

    @property
    def documents(self) -> str:
        return f"{self.prefix}{self.name}:documents"

    @property
    def positions(self) -> str:
        return f"{self.prefix}{self.name}:positions"

    def list(self, name: str) -> str:
        return f"{self.prefix}{self.name}:list:{name}"


@dataclass(frozen=True, slots=True)
class Space:
    """The keys of one service."""

    service: str

    @property
    def prefix(self) -> str:
        return f"orderly:{{{self.service}}}:"

    @property
    def current(self) -> str:
        return f"{self.prefix}current"

    @property
    def generations(self) -> str:
        return f"{self.prefix}generations"

    @property
    def changed(self) -> str:
        return f"{self.prefix}changed"

    def of(self, generation: str) -> Keys:
        return Keys(self.prefix, generation)


def value(document: Document) -> bytes:
    return b"%d %b" % (document.version, document.body)


def document(key: str, value: bytes) -> Document:
    version, _, body = value.partition(b" ")
    return Document(key, int(version), body)


def documents(keys: Iterable[str], values: Iterable[bytes | None]) -> dict[str, Document]:
    return {key: document(key, value) for key, value in zip(keys, values, strict=True) if value is not None}


def member(sort: str, body: bytes) -> bytes:
    return b"%b\0%b" % (sort.encode(), body)


def entry(name: str, member: bytes) -> Entry:
    sort, _, body = member.partition(b"\0")
    return Entry(name, sort.decode(), body)
