"""A request body becomes a model or a 4xx problem: read within a limit, strict JSON, strict types, never a 500.

FastAPI's own JSON path answers 500 to NaN, 1e999 and lone surrogates, and lets the last of two equal keys win. Here:

    415  not application/json, or compressed, or in another charset than UTF-8
    413  longer than the limit, refused before it is read whole, chunked or not
    400  not JSON as I-JSON (RFC 7493) has it: bad UTF-8, BOM, UTF-16, NaN, 1e999, lone surrogates, equal keys, too deep
    422  JSON, but not what the model says
"""

import json
import math
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from common import problems
from common.problems import Problem

LARGEST_BODY = 64 * 1024
DEEPEST = 32

M = TypeVar("M", bound=BaseModel)

_media_type = re.compile(r'application/json\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE).fullmatch
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


async def parse(request: Request, model: type[M], limit: int = LARGEST_BODY) -> M:
    """Read and decode the request's body. Raises nothing but `Problem`."""
    require_json(request)
    return decode(await read(request, limit), model)


def require_json(request: Request) -> None:
    if _media_type(request.headers.get("content-type", "")) is None or "content-encoding" in request.headers:
        raise Problem(415, "unsupported-media-type", "Send application/json, in UTF-8 and not compressed.")


async def read(request: Request, limit: int = LARGEST_BODY) -> bytes:
    """The raw body; a longer one is refused by its announced length, or else as soon as it passes the limit."""
    announced = request.headers.get("content-length")
    if announced is not None and int(announced) > limit:  # the HTTP parser let digits through only
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def decode(raw: bytes, model: type[M]) -> M:
    """Two passes: the first refuses what pydantic's parser is lenient about, the second builds the model."""
    if _too_deep(raw):
        raise Problem(400, "malformed-json", f"The JSON is nested more than {DEEPEST} levels deep.")
    try:
        _strict(raw.decode())
    except ValueError:  # bad UTF-8, bad JSON, and what the hooks refuse; its message may quote the body
        raise _malformed() from None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":  # lone surrogates
            raise _malformed() from None
        raise problems.invalid(found) from None


def _too_deep(raw: bytes) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for byte in _STRING.sub(b"", raw):
        if byte in b"[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("two equal keys in one object")


def _finite(number: str) -> None:
    if not math.isfinite(float(number)):
        raise ValueError("not a finite number")


_strict = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite).decode


def _malformed() -> Problem:
    return Problem(
        400, "malformed-json", "The body is not JSON: UTF-8, no equal keys, finite numbers, whole characters."
    )


def _too_large(limit: int) -> Problem:
    return Problem(413, "content-too-large", f"The body is longer than {limit} bytes.")
