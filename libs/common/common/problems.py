"""Every error that a caller sees is an RFC 9457 problem: type, title, status, detail, trace_id, and nothing it sent.

`raise Problem(...)` anywhere in a request; an `Application` makes the rest of a service's errors problems too, by one table:

    Problem                  as it says
    Unavailable              503, Retry-After
    router and framework     404, 405 (Allow) ..., by their status
    anything else            500 and a log record; the caller learns the trace id only
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from common import tracecontext
from common.errors import OrderlyError, Unavailable

MEDIA_TYPE = "application/problem+json"
TYPES = "https://orderly.example/problems/"

_log = structlog.get_logger("problems")


class Problem(OrderlyError):
    """An answer to the caller. `slug` names the kind of problem for programs, `detail` tells a person what to do.

    `members` are extension members (RFC 9457, 3.2), for standards that want their own: OAuth's `error`.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status = status
        self.slug = slug
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def body(self, trace_id: str) -> bytes:
        return msgspec.json.encode(
            {
                "type": TYPES + self.slug,
                "title": self.slug.replace("-", " ").capitalize(),
                "status": self.status,
                "detail": self.detail,
                "trace_id": trace_id,
                **self.members,
            }
        )


async def answer(request: Request, error: Exception) -> Response:
    trace_id = tracecontext.trace_id(tracecontext.of(request.scope))
    problem = of(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("unexpected error", exc_info=error, trace_id=trace_id, path=request.scope.get("path"))
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        problem.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return Response(problem.body(trace_id), problem.status, problem.headers, MEDIA_TYPE)


def _methods(request: Request) -> set[str]:
    """Those that this address knows. The router names those of the first route alone."""
    routes = [
        it for it in request.app.routes if isinstance(it, Route) and it.matches(request.scope)[0] is not Match.NONE
    ]
    return {method for route in routes for method in route.methods or ()}


def of(error: Exception) -> Problem:
    """The table above."""
    match error:
        case Problem():
            return error
        case Unavailable():
            return Problem(503, "unavailable", "The service cannot answer now; try again.", {"Retry-After": "1"})
        case HTTPException(status_code=status) if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            phrase = HTTPStatus(status).phrase
            return Problem(status, phrase.lower().replace(" ", "-"), _GENERAL.get(status, f"{phrase}."), error.headers)
        case ClientDisconnect():
            return Problem(400, "disconnected", "The caller left before its request was complete.")
        case _:
            return Problem(500, "internal-error", "Something went wrong here; quote the trace id to the operators.")


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """422 for what pydantic found (`errors(include_input=False)`): at most three complaints, without any input."""
    found = "; ".join(_complaint(error) for error in errors[:3])
    return Problem(422, "invalid-request", f"{found}; and more." if len(errors) > 3 else f"{found}.")


def _complaint(error: Mapping[str, Any]) -> str:
    place: Iterable[str | int] = error["loc"]
    if error["type"] == "extra_forbidden":  # its place ends with a name that the caller chose
        return f"{_path([*place][:-1])}: has a field that does not exist here"
    if error["type"] == "string_pattern_mismatch":
        return f"{_path(place)}: has characters or a form that it must not have; see /openapi.json"
    return f"{_path(place)}: {error['msg']}"


def _path(place: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in place) or "body"


_GENERAL = {
    404: "There is nothing at this address.",
    405: "This address does not know the method; see Allow.",
}
