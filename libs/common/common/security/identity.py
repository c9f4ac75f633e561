"""Who asks, as services see it: whom the gateway has verified, and says by a token of its own (hop.py); or, when a service asks
by itself, who its certificate says, without any role.

It is found out once for a request, at the door (gate.py), and is in the request's scope from then on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from common.problems import Problem

CALLER = "caller"  # in the state of a request's scope

CUSTOMER = "customer"
OPERATOR = "operator"
AUDITOR = "auditor"

SERVICE = "service:"  # begins the subject of a service that asks by itself

_subject = re.compile(r"[!-~]{1,255}").fullmatch
_name = re.compile(r"[a-z][a-z0-9_-]{0,63}").fullmatch


@dataclass(frozen=True, slots=True)
class Identity:
    """`subject` is a customer or a client by name. What it may do is told by the policies (security/policy), from its roles
    and, at the gateway, from the `region` that its token names."""

    subject: str
    roles: frozenset[str] = frozenset()
    region: str | None = None

    def claims(self) -> dict[str, Any]:
        """As a token says it."""
        region = {"region": self.region} if self.region is not None else {}
        return {"sub": self.subject, "roles": sorted(self.roles), **region}

    @classmethod
    def claimed(cls, claims: Mapping[str, Any]) -> "Identity":
        """Raises ValueError, which says what of it cannot be used."""
        subject, roles, region = claims.get("sub"), claims.get("roles", []), claims.get("region")
        if not (isinstance(subject, str) and _subject(subject)):
            raise ValueError("it has no subject that can be used")
        if not (isinstance(roles, list) and all(isinstance(role, str) and _name(role) for role in roles)):
            raise ValueError("its roles are not a list of names")
        if not (region is None or (isinstance(region, str) and _name(region))):
            raise ValueError("its region is not a name")
        return cls(subject, frozenset(roles), region)


def caller_of(request: Request) -> Identity:
    """Raises `Problem` 401 where the request names nobody."""
    found = request.scope.get("state", {}).get(CALLER)
    if not isinstance(found, Identity):
        raise Problem(401, "unauthenticated", "The request names no caller; ask through the gateway.")
    return found
