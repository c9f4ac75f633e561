"""What may be done something to, as the policies see it. None: not known, and a rule that needs it forbids.

Policies know no names, but whether what is somebody's is the caller's own. So names are taken out before they are asked, and
what is left is so little that the answer is nearly always known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from common.clock import Instant

SELF = "self"  # whoever asks
ANOTHER = "another"


class Resource(Protocol):
    """`kind` is its entity type in the schema, `id` tells it from others of that kind."""

    @property
    def kind(self) -> str: ...

    @property
    def id(self) -> str: ...

    def seen_by(self, name: str) -> "Resource":
        """Without names: whether it is that one's own is all that is left of them."""
        ...

    def attributes(self) -> Mapping[str, Any]: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Order:
    """`total` in minor units. Say of these what the action is about, so that more decisions are equal."""

    id: str
    owner: str
    total: int | None = None
    placed: Instant | None = None
    kind = "Order"

    def seen_by(self, name: str) -> "Order":
        return replace(self, id="", owner=_relation(self.owner, name))

    def attributes(self) -> Mapping[str, Any]:
        found = {"owner": _reference("User", self.owner), "total": self.total, "placed": self.placed}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Payment:
    """Of an order, by that order's id."""

    id: str
    owner: str
    kind = "Payment"

    def seen_by(self, name: str) -> "Payment":
        return Payment("", _relation(self.owner, name))

    def attributes(self) -> Mapping[str, Any]:
        return {"owner": _reference("User", self.owner)}


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, by its id, and the client that it was given to."""

    id: str
    client: str
    kind = "Token"

    def seen_by(self, name: str) -> "Token":
        return Token("", _relation(self.client, name))

    def attributes(self) -> Mapping[str, Any]:
        return {"client": _reference("User", self.client)}


@dataclass(frozen=True, slots=True)
class Registration:
    """Of an instance of the service `id`."""

    id: str
    kind = "Registration"

    def seen_by(self, name: str) -> "Registration":
        return Registration(_relation(self.id, name))

    def attributes(self) -> Mapping[str, Any]:
        return {"of": _reference("Service", self.id)}


@dataclass(frozen=True, slots=True)
class Door:
    """Nothing is known yet but the route."""

    id: str = ""
    kind = "Api"

    def seen_by(self, name: str) -> "Door":
        return self

    def attributes(self) -> Mapping[str, Any]:
        return {}


API = Door()


def _relation(owner: str, name: str) -> str:
    return SELF if owner == name else ANOTHER


def _reference(kind: str, id: str) -> Mapping[str, Any]:
    return {"__entity": {"type": kind, "id": id}}
