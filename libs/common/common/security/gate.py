"""Lets a service's callers through to the routes that the call graph gives them, finds out in whose name each of them asks, and
whether the policies let that one ask for it. Everybody else is answered 403.

The route is the one that the router has chosen, not a second guess at the path. A route that nobody is declared to call, or
that is no action of the policies, cannot be served: building the application fails.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common import problems, tracecontext
from common.problems import Problem
from common.security import audit, callgraph, hop, policy
from common.security.credentials import Credentials
from common.security.identity import CALLER, SERVICE, Identity, caller_of
from common.security.spiffe import SpiffeId, peer_of
from common.telemetry import metrics
from common.topology import GATEWAY

_HEADER = hop.HEADER.encode()


def enforce(app: Starlette, credentials: Credentials) -> ASGIApp:
    """The application of whose certificate it is, for its declared callers. Raises ValueError for a route that has none."""
    own = credentials.id
    for route in app.routes:
        if not isinstance(route, Route):
            raise ValueError(f"{own.service}: {route} cannot be covered by the call graph")
        names = {f"{method} {route.path}" for method in (route.methods or ()) if method != "HEAD"}
        allowed = [callgraph.callers(own.service, name) for name in names]
        if len(allowed) != 1 or not allowed[0]:
            raise ValueError(f"{own.service}: the call graph has no caller of {', '.join(sorted(names))}")
        (name,) = names
        door = _Door(route.app, policy.action_of(own.service, name))
        route.app = _Gate(door, name, own, allowed[0])
    metrics.CALLS_DENIED.labels("")  # a series that begins with its first event has no increase
    return _Gate(Named(app, credentials), own.service, own, callgraph.neighbours(own.service))


class _Door:
    """Before one route: may it be asked for in this name? What only services ask of each other takes none. Raises Problem 401
    and 403."""

    def __init__(self, inside: ASGIApp, action: str) -> None:
        self._inside = inside
        self._action = action

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._action not in policy.INTERNAL:
            policy.enter(caller_of(Request(scope)), self._action)
        await self._inside(scope, receive, send)


class _Gate:
    def __init__(self, inside: ASGIApp, what: str, own: SpiffeId, callers: frozenset[str]) -> None:
        self._inside = inside
        self._what = what
        self._allowed = frozenset(own.neighbour(caller) for caller in callers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = peer_of(scope)
        if peer in self._allowed:
            await self._inside(scope, receive, send)
            return
        metrics.CALLS_DENIED.labels(peer.service if peer else "").inc()
        problem = Problem(403, "caller-not-allowed", "This service may not ask for this.")
        await _deny(problem, str(peer or "nobody"), self._what, "not a declared caller")(scope, receive, send)


class Named:
    """Puts the `Identity` that a request is made in the name of into its scope: the gateway's word for it counts, if it is for
    this very service; no other service speaks for anybody but itself. A request of the gateway may be in nobody's name."""

    def __init__(self, inside: ASGIApp, credentials: Credentials) -> None:
        self._inside = inside
        self._verifier = hop.Verifier(credentials)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer, tokens = peer_of(scope), [value for name, value in scope["headers"] if name == _HEADER]
        if peer is not None and peer.service == GATEWAY and len(tokens) == 1:
            try:
                scope["state"][CALLER] = self._verifier.verify(tokens[0].decode("latin-1"))
            except ValueError as error:
                problem = Problem(401, "caller-not-believed", f"The gateway's word is not accepted: {error}.")
                await _deny(problem, str(peer), "identity", str(error))(scope, receive, send)
                return
        elif tokens:
            problem = Problem(403, "identity-not-yours", "Only the gateway speaks for others, and for one at a time.")
            await _deny(problem, str(peer or "nobody"), "identity", "it is the gateway's to tell")(scope, receive, send)
            return
        elif peer is not None and peer.service != GATEWAY:
            scope["state"][CALLER] = Identity(f"{SERVICE}{peer.service}")
        await self._inside(scope, receive, send)


def _deny(problem: Problem, who: str, what: str, why: str) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        trace_id = tracecontext.trace_id(tracecontext.of(scope))
        audit.denied(who, what, why, trace_id)
        response = Response(problem.body(trace_id), problem.status, media_type=problems.MEDIA_TYPE)
        await response(scope, receive, send)

    return answer
