"""What the services' routes have in common: JSON out, the version of what is shown, or nothing at all."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Request, Response
from starlette.types import Receive

_encode = msgspec.json.Encoder().encode


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
