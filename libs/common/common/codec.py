"""Messages to bytes and back. What it cannot read it refuses by name, so that the reader can set it aside.

- The type's name and schema version travel beside the payload; fields that a reader does not know are ignored, a type or
  version that it does not know is `UnknownType`, wrong bytes are `Undecodable`.
- An upcaster lifts the payload of one old version to the next, as plain JSON values, before decoding.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

import msgspec

from common.clock import Instant
from common.errors import Undecodable, UnknownType
from common.messages import Message

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

encode = msgspec.json.Encoder().encode


class Codec:
    """Reads the given message types. `versions`: the current schema version of those that are past 1."""

    def __init__(
        self,
        types: Iterable[type],
        versions: Mapping[str, int] | None = None,
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            kind.__name__: msgspec.json.Decoder(kind) for kind in types
        }
        self._versions = dict(versions or {})
        self._upcasters = dict(upcasters or {})

    def version(self, name: str) -> int:
        return self._versions.get(name, 1)

    def decode(self, name: str, schema: int, payload: bytes | msgspec.Raw) -> Message:
        decoder = self._decoders.get(name)
        if decoder is None:
            raise UnknownType(f"message type {name!r}: not known here; deploy the service that knows it, then redrive")
        current = self._versions.get(name, 1)
        try:
            if schema == current:
                return decoder.decode(payload)
            return msgspec.convert(self._lift(name, schema, current, payload), decoder.type)
        except (
            msgspec.MsgspecError,
            RecursionError,
            ValueError,
            LookupError,
            TypeError,
        ) as error:  # also an upcaster's
            raise Undecodable(f"{name} v{schema}: {error}") from None

    def _lift(self, name: str, schema: int, current: int, payload: bytes | msgspec.Raw) -> dict[str, Any]:
        fields = msgspec.json.decode(payload, type=dict[str, Any])
        for version in range(schema, current):
            upcast = self._upcasters.get((name, version))
            if upcast is None:
                raise UnknownType(f"{name} v{schema}: no upcaster from v{version}; known is v{current}")
            fields = upcast(fields)
        if schema > current:
            raise UnknownType(f"{name} v{schema}: newer than v{current}, which is known here; upgrade, then redrive")
        return fields


def members(union: object) -> tuple[type, ...]:
    """The classes of a union of messages."""
    return get_args(union)


class EventFrame(msgspec.Struct, frozen=True, gc=False):
    """One event as it stands in a history record."""

    type: str
    v: int
    data: msgspec.Raw


class Cause(msgspec.Struct, frozen=True):
    """The input that was decided upon. A timer, or the answer to an effect, has no place in a log: its topic is empty."""

    kind: str  # command, reply or timer
    type: str
    id: str
    actor: str
    at: Instant
    topic: str = ""
    partition: int = -1
    offset: int = -1


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A message that was sent in the same transaction."""

    type: str
    topic: str
    key: str


class HistoryFrame(msgspec.Struct, frozen=True):
    """The value of one record of an events topic: everything that one input made happen to one aggregate.

    Every input that a processor consumes has exactly one such record, or one dead letter (law L11). `version` is that of the
    aggregate after `events`; no events: the input changed nothing (a duplicate, a late answer).
    """

    cause: Cause
    version: int
    events: list[EventFrame]
    sent: list[Sent] = []


_history = msgspec.json.Decoder(HistoryFrame)


def decode_history(payload: bytes) -> HistoryFrame:
    try:
        return _history.decode(payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Undecodable(f"history record: {error}") from None
