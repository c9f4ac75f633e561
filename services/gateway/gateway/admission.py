"""Who may come in: a token that holds, a caller that is not too fast, a role that the route wants. In this order."""

from collections.abc import Set as AbstractSet

import structlog
from fastapi import Request

from common.problems import Problem
from common.security.identity import Identity
from common.security.tokens import Verifier, refuse
from gateway.limits import Limit

_log = structlog.get_logger("admission")


class Admission:
    """Callers without a valid token are told apart, for the rate limit, by their address. No limit: `limit` is None."""

    def __init__(self, verifier: Verifier, limit: Limit | None) -> None:
        self._verifier = verifier
        self._limit = limit

    async def admit(self, request: Request, roles: AbstractSet[str]) -> Identity:
        """Raises Problem 401, 429 or 403."""
        try:
            caller = await self._verifier.verify(_bearer(request))
        except Problem:
            await self.slow_down(request)
            raise
        if self._limit is not None:
            await self._limit.admit(caller.subject)
        if roles.isdisjoint(caller.roles):
            _log.warning("denied", subject=caller.subject, method=request.method, path=request.url.path)
            raise Problem(403, "forbidden", f"This takes the role {' or '.join(sorted(roles))}.")
        return caller

    async def slow_down(self, request: Request) -> None:
        """Count a request of a caller whom nobody knows. Raises Problem 429."""
        if self._limit is not None:
            await self._limit.admit(f" {address(request)}")  # no subject has a space


def address(request: Request) -> str:
    return request.client.host if request.client else ""


def _bearer(request: Request) -> str:
    found = request.headers.getlist("authorization")
    if not found:
        raise Problem(401, "unauthenticated", "Send an access token.", {"WWW-Authenticate": 'Bearer realm="orderly"'})
    scheme, _, token = found[0].partition(" ")
    if len(found) > 1 or scheme.lower() != "bearer":
        refuse("send it once, as Authorization: Bearer")
    return token.strip(" ")
