"""What the services' routes have in common: JSON out, the version of what is shown, or nothing at all; problems for errors."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.types import Receive

from common import problems

_encode = msgspec.json.Encoder().encode


def application(name: str) -> FastAPI:
    """A service's own, without routes. Only the gateway's API is documented: its callers are told by the call graph."""
    app = FastAPI(title=name, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    problems.install(app)
    return app


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encode(value), status, headers, "application/json")


def versioned(request: Request, value: Any, version: int | str, cache: str) -> Response:
    """The answer with its version as ETag; 304 without a body for a caller that has this version (RFC 9110, 13.1.2)."""
    headers = {"ETag": f'"{version}"', "Cache-Control": cache}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return as_json(value, headers=headers)


async def cut(receive: Receive) -> None:
    """End the connection without an answer: the caller will never know by itself whether it happened."""
    connection: Any = receive
    connection.__self__.transport.abort()  # ASGI has no word for it; uvicorn's `receive` belongs to the request
    while (await receive())["type"] != "http.disconnect":
        pass
