"""Who asks, as services see it: the gateway has verified the token and says so in two headers.

Headers of these names from outside never pass the gateway (J10), and from any other service they count for nothing: a service
that asks by itself is who its certificate says, and has no role.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from common.problems import Problem
from common.security import audit
from common.security.spiffe import SpiffeId, peer_of
from common.topology import GATEWAY

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

    def concerns(self, customer: str) -> bool:
        """Whether what is this customer's is its business."""
        return self.is_operator or customer == self.subject

    def may_see(self, customer: str, what: str) -> bool:
        """The same as a decision: when it is no, that is audited."""
        if self.concerns(customer):
            return True
        audit.denied(self.subject, what, "it is another customer's")
        return False

    def headers(self) -> dict[str, str]:
        return {SUBJECT: self.subject, ROLES: ",".join(sorted(self.roles))}

    @classmethod
    def of(cls, headers: Mapping[str, str], peer: SpiffeId | None) -> "Identity":
        """Raises `Problem` 401 where the request names nobody to be believed, 403 where a service claims to be another."""
        subject = headers.get(SUBJECT)
        if peer is not None and peer.service != GATEWAY:
            own = f"service:{peer.service}"
            if subject not in (None, own):
                audit.denied(str(peer), "identity headers", "they are the gateway's to set")
                raise Problem(403, "identity-not-yours", "Only the gateway speaks for others.")
            return cls(own)
        if peer is None or not subject:
            raise Problem(401, "unauthenticated", "The request names no caller; ask through the gateway.")
        return cls(subject, frozenset(role for role in headers.get(ROLES, "").split(",") if role))


async def caller(request: Request) -> Identity:
    return Identity.of(request.headers, peer_of(request.scope))


Caller = Annotated[Identity, Depends(caller)]  # `async def show(caller: Caller)`
