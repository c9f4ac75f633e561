"""Who asks, as services see it: the gateway has verified the token and says so in two headers.

Headers of these names from outside never pass the gateway (J10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from common.problems import Problem

SUBJECT = "orderly-subject"
ROLES = "orderly-roles"

CUSTOMER = "customer"
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """`subject` is a customer or a client by name; what it may do is told by its roles."""

    subject: str
    roles: frozenset[str] = frozenset()

    @property
    def is_operator(self) -> bool:
        return OPERATOR in self.roles

    def headers(self) -> dict[str, str]:
        return {SUBJECT: self.subject, ROLES: ",".join(sorted(self.roles))}

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Identity":
        """Raises `Problem` 401 where the request did not come through the gateway."""
        subject = headers.get(SUBJECT)
        if not subject:
            raise Problem(401, "unauthenticated", "The request names no caller; ask through the gateway.")
        return cls(subject, frozenset(role for role in headers.get(ROLES, "").split(",") if role))


async def caller(request: Request) -> Identity:
    return Identity.of(request.headers)


Caller = Annotated[Identity, Depends(caller)]  # `async def show(caller: Caller)`
