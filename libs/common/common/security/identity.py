"""Who asks, as services see it: whom the gateway has verified, and says by a token of its own (hop.py); or, when a service asks
by itself, who its certificate says, without any role.

It is found out once for a request, at the door (gate.py), and is in the request's scope from then on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from common.problems import Problem
from common.security import audit

CALLER = "caller"  # in the state of a request's scope

CUSTOMER = "customer"
OPERATOR = "operator"

SERVICE = "service:"  # begins the subject of a service that asks by itself

_subject = re.compile(r"[!-~]{1,255}").fullmatch
_role = re.compile(r"[a-z][a-z0-9_-]{0,63}").fullmatch


@dataclass(frozen=True, slots=True)
class Identity:
    """`subject` is a customer or a client by name; what it may do is told by its roles."""

    subject: str
    roles: frozenset[str] = frozenset()

    @property
    def is_operator(self) -> bool:
        return OPERATOR in self.roles

    def concerns(self, customer: str) -> bool:
        """Whether what is this customer's is its business."""
        return self.is_operator or customer == self.subject

    def may_see(self, customer: str, what: str) -> bool:
        """The same as a decision: when it is no, that is audited."""
        if self.concerns(customer):
            return True
        audit.denied(self.subject, what, "it is another customer's")
        return False

    def claims(self) -> dict[str, Any]:
        """As a token says it."""
        return {"sub": self.subject, "roles": sorted(self.roles)}

    @classmethod
    def claimed(cls, claims: Mapping[str, Any]) -> "Identity":
        """Raises ValueError, which says what of it cannot be used."""
        subject, roles = claims.get("sub"), claims.get("roles", [])
        if not (isinstance(subject, str) and _subject(subject)):
            raise ValueError("it has no subject that can be used")
        if not (isinstance(roles, list) and all(isinstance(role, str) and _role(role) for role in roles)):
            raise ValueError("its roles are not a list of names")
        return cls(subject, frozenset(roles))


async def caller(request: Request) -> Identity:
    """Raises `Problem` 401 where the request names nobody."""
    found = request.scope.get("state", {}).get(CALLER)
    if not isinstance(found, Identity):
        raise Problem(401, "unauthenticated", "The request names no caller; ask through the gateway.")
    return found


Caller = Annotated[Identity, Depends(caller)]  # `async def show(caller: Caller)`
