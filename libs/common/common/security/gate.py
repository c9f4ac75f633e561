"""Lets a service's callers through to the routes that the call graph gives them, and answers everybody else 403.

The route is the one that the router has chosen, not a second guess at the path. A route that nobody is declared to call cannot
be served: building the application fails.
"""

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common import problems, tracecontext
from common.problems import Problem
from common.security import audit, callgraph
from common.security.spiffe import SpiffeId, peer_of
from common.telemetry import metrics


def enforce(app: Starlette, own: SpiffeId) -> ASGIApp:
    """The application of the service `own`, for its declared callers. Raises ValueError for a route that has none."""
    for route in app.routes:
        if not isinstance(route, Route):
            raise ValueError(f"{own.service}: {route} cannot be covered by the call graph")
        names = {f"{method} {route.path}" for method in (route.methods or ()) if method != "HEAD"}
        allowed = [callgraph.callers(own.service, name) for name in names]
        if len(allowed) != 1 or not allowed[0]:
            raise ValueError(f"{own.service}: the call graph has no caller of {', '.join(sorted(names))}")
        route.app = _Gate(route.app, names.pop(), own, allowed[0])
    return _Gate(app, own.service, own, callgraph.neighbours(own.service))


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
        trace_id = tracecontext.trace_id(tracecontext.of(scope))
        metrics.CALLS_DENIED.labels(peer.service if peer else "").inc()
        audit.denied(str(peer or "nobody"), self._what, "not a declared caller", trace_id)
        problem = Problem(403, "caller-not-allowed", "This service may not ask for this.")
        answer = Response(problem.body(trace_id), 403, media_type=problems.MEDIA_TYPE)
        await answer(scope, receive, send)
