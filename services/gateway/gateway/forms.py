"""Forms, and who sends them: read strictly, and refused as OAuth says it (RFC 6749, 5.2), in a problem."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request

from common import json_body
from common.problems import Problem

LARGEST_FORM = 8 * 1024
UNSTORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


async def read(request: Request) -> Mapping[str, str]:
    """Each parameter once."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Problem(415, "unsupported-media-type", "Send application/x-www-form-urlencoded.")
    body = await json_body.read(request, LARGEST_FORM)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=20
        )
    except ValueError:
        raise refusal("invalid_request", "The body is not a form.") from None
    if len(dict(pairs)) != len(pairs):
        raise refusal("invalid_request", "A parameter is given twice.")
    return dict(pairs)


def credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """Client and secret, by Basic authentication or in the form, not both (RFC 6749, 2.3.1); empty where there is none."""
    header = request.headers.getlist("authorization")
    if not header:
        return form.get("client_id", ""), form.get("client_secret", "")
    if len(header) > 1 or "client_secret" in form:
        raise refusal("invalid_request", "Authenticate in one way.")
    scheme, _, encoded = header[0].partition(" ")
    try:
        client, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        raise unknown_client() from None
    if scheme.lower() != "basic" or not colon:
        raise unknown_client()
    client = unquote_plus(client)
    if form.get("client_id", client) != client:
        raise refusal("invalid_request", "The form names another client than the header.")
    return client, unquote_plus(secret)


def refusal(code: str, detail: str) -> Problem:
    return Problem(400, code.replace("_", "-"), detail, UNSTORED, {"error": code})


def unknown_client() -> Problem:
    headers = {**UNSTORED, "WWW-Authenticate": 'Basic realm="orderly", charset="UTF-8"'}
    detail = "There is no such client, or its secret is another."
    return Problem(401, "invalid-client", detail, headers, {"error": "invalid_client"})
