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
