"""A message is an immutable value; an envelope is what travels with it.

Commands are imperatives, events past tense. Every message is a frozen dataclass, so that the domain needs nothing but the
standard library, and every one of them may be shared between threads. What goes around messages is made several times for each
of them, and therefore is a struct: a tenth of the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

import msgspec

from common.clock import Instant

T = TypeVar("T")

Sealed = str  # personal: readable with its customer's key alone, see security/vault.py
Message = Any  # a dataclass made by @message; the unions in contracts/ say which


@dataclass_transform(frozen_default=True)
def message(cls: type[T]) -> type[T]:
    """Mark a class as an immutable command, event or part of one."""
    return dataclass(frozen=True, slots=True)(cls)


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Who says it, when, why, and where the answer goes (law L14). Written as record headers.

    `correlation` is the business thing that a whole conversation is about (the order id), `causation` the id of the message
    that made this one be written, `reply_to` the topic that wants the answer, `traceparent` a W3C Trace Context.
    """

    id: str
    type: str
    schema: int
    at: Instant
    actor: str
    correlation: str
    causation: str = ""
    reply_to: str = ""
    traceparent: str = ""

    def headers(self) -> dict[str, str]:
        found = {
            "id": self.id,
            "type": self.type,
            "schema": str(self.schema),
            "at": str(self.at),
            "actor": self.actor,
            "correlation": self.correlation,
        }
        if self.causation:
            found["causation"] = self.causation
        if self.reply_to:
            found["reply_to"] = self.reply_to
        if self.traceparent:
            found["traceparent"] = self.traceparent
        return found

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Envelope":
        """Read headers back; raises KeyError or ValueError where they are not an envelope."""
        return cls(
            id=headers["id"],
            type=headers["type"],
            schema=int(headers["schema"]),
            at=int(headers["at"]),
            actor=headers["actor"],
            correlation=headers["correlation"],
            causation=headers.get("causation", ""),
            reply_to=headers.get("reply_to", ""),
            traceparent=headers.get("traceparent", ""),
        )


class Request(msgspec.Struct, frozen=True):
    """A message to another aggregate, not yet on its way. `reply_to` empty: no answer is wanted."""

    topic: str
    key: str
    message: Message
    reply_to: str = ""
