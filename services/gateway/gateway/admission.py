"""Who may come in: a token that holds, a caller that is not too fast, a role that the route wants. In this order."""

from collections.abc import Set as AbstractSet

from fastapi import Request

from common import tracecontext
from common.problems import Problem
from common.security import audit
from common.security.identity import Identity
from common.security.tokens import Verifier, refuse
from gateway.limits import Limit


class Admission:
    """Callers without a valid token are told apart, for the rate limit, by their address. No limit: `limit` is None."""

    def __init__(self, verifier: Verifier, limit: Limit | None) -> None:
        self._verifier = verifier
        self._limit = limit

    async def admit(self, request: Request, roles: AbstractSet[str]) -> Identity:
        """Raises Problem 401, 429 or 403."""
        try:
            caller = await self._verifier.verify(_bearer(request))
        except Problem as problem:
            await self.slow_down(request)
            audit.denied(address(request) or "nobody", _asked(request), problem.detail)
            raise
        if self._limit is not None:
            await self._limit.admit(caller.subject)
        if roles.isdisjoint(caller.roles):
            audit.denied(
                caller.subject, _asked(request), "no role for it", tracecontext.trace_id(tracecontext.of(request.scope))
            )
            raise Problem(403, "forbidden", f"This takes the role {' or '.join(sorted(roles))}.")
        return caller

    async def slow_down(self, request: Request) -> None:
        """Count a request of a caller whom nobody knows. Raises Problem 429."""
        if self._limit is not None:
            await self._limit.admit(f" {address(request)}")  # no subject has a space


def address(request: Request) -> str:
    return request.client.host if request.client else ""


def _asked(request: Request) -> str:
    """The route, not the path: what a stranger writes there is nothing to keep."""
    return f"{request.method} {request.scope['route'].path}"


def _bearer(request: Request) -> str:
    found = request.headers.getlist("authorization")
    if not found:
        raise Problem(401, "unauthenticated", "Send an access token.", {"WWW-Authenticate": 'Bearer realm="orderly"'})
    scheme, _, token = found[0].partition(" ")
    if len(found) > 1 or scheme.lower() != "bearer":
        refuse("send it once, as Authorization: Bearer")
    return token.strip(" ")
