"""Who may come in: a token that holds, a caller that is not too fast, a policy that permits it. In this order.

It stands before every route of the gateway (`Door`), whose action is known from its address, so that none can be forgotten.
"""

from fastapi import FastAPI, Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common.problems import Problem
from common.security import audit, policy
from common.security.identity import CALLER, Identity
from common.security.tokens import Verifier, refuse
from common.topology import GATEWAY
from gateway.limits import Limit


class Admission:
    """Callers without a valid token are told apart, for the rate limit, by their address. No limit: `limit` is None. `regions`:
    those that are served, where it is not all."""

    def __init__(self, verifier: Verifier, limit: Limit | None, regions: frozenset[str] = policy.EVERYWHERE) -> None:
        self._verifier = verifier
        self._limit = limit
        self._regions = regions

    async def admit(self, request: Request, action: str) -> Identity:
        """Raises Problem 401, 429 or 403."""
        try:
            caller = await self._verifier.verify(_bearer(request))
        except Problem as problem:
            await self.slow_down(request)
            audit.denied(address(request) or "nobody", action, problem.detail)
            raise
        if self._limit is not None:
            await self._limit.admit(caller.subject)
        policy.enter(caller, action, self._regions)
        return caller

    async def slow_down(self, request: Request) -> None:
        """Count a request of a caller whom nobody knows. Raises Problem 429."""
        if self._limit is not None:
            await self._limit.admit(f" {address(request)}")  # no subject has a space

    def guard(self, app: FastAPI) -> None:
        """From now on every route that `app` has is behind this. Raises ValueError for one that is no action."""
        for route in app.routes:
            if not isinstance(route, Route) or not route.methods or len(route.methods) != 1:
                raise ValueError(f"gateway: {route} cannot be covered by the policies")
            (method,) = route.methods
            action = policy.action_of(GATEWAY, f"{method} {route.path}")
            if not policy.is_open(action):
                route.app = _Door(route.app, action, self)


class _Door:
    def __init__(self, inside: ASGIApp, action: str, admission: Admission) -> None:
        self._inside = inside
        self._action = action
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][CALLER] = await self._admission.admit(Request(scope), self._action)
        await self._inside(scope, receive, send)


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
