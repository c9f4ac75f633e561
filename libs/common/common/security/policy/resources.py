"""What may be done something to, as the policies see it. None: not known, and a rule that needs it forbids."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from common.clock import Instant


class Resource(Protocol):
    """`kind` is its entity type in the schema, `id` tells it from others of that kind."""

    @property
    def kind(self) -> str: ...

    @property
    def id(self) -> str: ...

    def attributes(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Order:
    """`total` in minor units."""

    id: str
    owner: str
    total: int | None = None
    placed: Instant | None = None
    kind = "Order"

    def attributes(self) -> Mapping[str, Any]:
        found = {"owner": reference("User", self.owner), "total": self.total, "placed": self.placed}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Payment:
    """Of an order, by that order's id."""

    id: str
    owner: str
    kind = "Payment"

    def attributes(self) -> Mapping[str, Any]:
        return {"owner": reference("User", self.owner)}


@dataclass(frozen=True, slots=True)
class Registration:
    """Of an instance of the service `id`."""

    id: str
    kind = "Registration"

    def attributes(self) -> Mapping[str, Any]:
        return {"of": reference("Service", self.id)}


@dataclass(frozen=True, slots=True)
class Door:
    """Nothing is known yet but the route."""

    id: str = "orderly"
    kind = "Api"

    def attributes(self) -> Mapping[str, Any]:
        return {}


API = Door()


def reference(kind: str, id: str) -> Mapping[str, Any]:
    return {"__entity": {"type": kind, "id": id}}
