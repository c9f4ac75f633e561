"""What the services' routes have in common: JSON out, a consistency token in."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common import parameters
from common.consistency import Token

_encode = msgspec.json.Encoder().encode


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encode(value), status, headers, "application/json")


def token_of(request: Request) -> Token | None:
    """The caller's Consistency-Token; Problem 400 for one that was never given out."""
    text = parameters.consistency_token(request)
    return Token.parse(text) if text else None


def versioned(request: Request, value: Any, version: int, cache: str) -> Response:
    """The answer with its version as ETag; 304 without a body for a caller that has this version (RFC 9110, 13.1.2)."""
    headers = {"ETag": f'"{version}"', "Cache-Control": cache}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return as_json(value, headers=headers)
