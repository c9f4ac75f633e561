"""What callers say outside the body: path, query and headers, read strictly. What cannot be used is a `Problem`.

Idempotency-Key       1-255 visible ASCII characters, exactly once
Prefer: wait=N        bounded; a preference that makes no sense is ignored, as RFC 7240 wants it
Consistency-Token     opaque: the form is checked here, the meaning where it was made
Consistency-Level     eventual, session or strong
limit, cursor         1-100; opaque
"""

import re
from collections.abc import Mapping

from starlette.requests import Request

from common import tracecontext
from common.contracts.api import CONSISTENCY_LEVELS, LARGEST_PAGE, ORDER_ID, SKU, VISIBLE
from common.problems import Problem

LONGEST_WAIT = 30

_sku = re.compile(SKU.removesuffix("$")).fullmatch
_order_id = re.compile(ORDER_ID.removesuffix("$")).fullmatch
_visible = re.compile(VISIBLE.removesuffix("$")).fullmatch
_wait = re.compile(r"""wait\s*=\s*"?([0-9]{1,9})"?\s*(?:;.*)?""", re.IGNORECASE).fullmatch
_opaque = re.compile(r"[A-Za-z0-9._~=+/:-]{1,512}").fullmatch
_limit = re.compile(r"[1-9][0-9]{0,2}").fullmatch


def order_id(request: Request) -> str:
    """An id that no order can have is answered like the id of nobody's order: 404."""
    found: str = request.path_params["order_id"]
    if _order_id(found) is None:
        raise Problem(404, "order-not-found", "There is no such order.")
    tracecontext.about(found)
    return found


def sku(request: Request) -> str:
    found: str = request.path_params["sku"]
    if _sku(found) is None:
        if request.method == "GET":
            raise Problem(404, "product-not-found", "There is no such product.")
        raise Problem(
            422, "invalid-request", "sku: 1-64 characters, letters, digits and . _ -, a letter or digit first."
        )
    return found


def idempotency_key(request: Request) -> str:
    found = optional_idempotency_key(request)
    if found is None:
        raise Problem(400, "idempotency-key-required", "Send an Idempotency-Key, the same for every attempt.")
    return found


def optional_idempotency_key(request: Request) -> str | None:
    found = request.headers.getlist("idempotency-key")
    if not found:
        return None
    if len(found) > 1 or _visible(found[0]) is None:
        raise Problem(400, "invalid-idempotency-key", "Idempotency-Key: once, 1-255 visible ASCII characters.")
    return found[0]


def consistency_token(request: Request) -> str | None:
    found = request.headers.getlist("consistency-token")
    if not found:
        return None
    if len(found) > 1 or _opaque(found[0]) is None:
        raise invalid_token()
    return found[0]


def consistency_level(request: Request) -> str | None:
    found = request.headers.getlist("consistency-level")
    if not found:
        return None
    if len(found) > 1 or found[0] not in CONSISTENCY_LEVELS:
        raise Problem(400, "invalid-consistency-level", f"Consistency-Level: {', '.join(CONSISTENCY_LEVELS)}, or none.")
    return found[0]


def invalid_token() -> Problem:
    return Problem(400, "invalid-consistency-token", "Consistency-Token: send one as it was given, or none.")


def wait(headers: Mapping[str, str]) -> int:
    """Seconds that the caller would wait for the outcome, 0 without a usable preference, never more than the longest."""
    for preference in headers.get("prefer", "").split(","):
        if found := _wait(preference.strip()):
            return min(int(found[1]), LONGEST_WAIT)
    return 0


def limit(request: Request, default: int = 50) -> int:
    found = request.query_params.getlist("limit")
    if not found:
        return default
    if len(found) > 1 or _limit(found[0]) is None or int(found[0]) > LARGEST_PAGE:
        raise Problem(422, "invalid-request", f"limit: a number from 1 to {LARGEST_PAGE}.")
    return int(found[0])


def cursor(request: Request) -> str:
    """The text that the page before gave as `next_cursor`; empty for the first page."""
    found = request.query_params.getlist("cursor")
    if not found:
        return ""
    if len(found) > 1 or _opaque(found[0]) is None:
        raise invalid_cursor()
    return found[0]


def invalid_cursor() -> Problem:
    return Problem(422, "invalid-request", "cursor: send next_cursor as it was given, or none.")


def is_sku(text: str) -> bool:
    return _sku(text) is not None
