"""The issuer's HTTP side: client credentials (RFC 6749, 4.4) for a token, discovery and key set for those who verify.

Errors are problems that carry OAuth's `error` as an extension member. Wrong secrets are limited for each client and address
before the secret is looked at, so that guessing is slow, and its success not visible either.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from fastapi import FastAPI, Request, Response

from common import json_body
from common.problems import Problem
from common.respond import as_json
from common.security.tokens import LONGEST_LIFE, demo_secret
from gateway import openapi
from gateway.admission import Admission, address
from gateway.issuer import DemoIssuer, role_of
from gateway.limits import RateLimit

LARGEST_FORM = 8 * 1024
GUESSES_A_SECOND = 0.5
GUESSES_AT_ONCE = 10

_CACHED = {"Cache-Control": "public, max-age=60"}
_SECRET = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def add(app: FastAPI, issuer: DemoIssuer, admission: Admission) -> None:
    """The issuer's routes."""
    guesses = RateLimit(GUESSES_A_SECOND, GUESSES_AT_ONCE, time.monotonic)

    @app.post("/oauth/token", **openapi.TOKEN)
    async def token(request: Request) -> Response:
        await admission.slow_down(request)
        form = _form(request, await json_body.read(request, LARGEST_FORM))
        client, secret = _credentials(request, form)
        if (grant := form.get("grant_type")) != "client_credentials":
            code = "invalid_request" if grant is None else "unsupported_grant_type"
            raise _error(code, "grant_type: client_credentials is the only one here.")
        role = role_of(client)
        guesser = f"{address(request)} {client if role else ''}"
        guesses.check(guesser)
        if not hmac.compare_digest(secret.encode(), demo_secret(client).encode()) or role is None:
            guesses.take(guesser)
            raise _unknown_client()
        answer = {"access_token": issuer.token(client, role), "token_type": "Bearer", "expires_in": LONGEST_LIFE}
        return as_json(answer, headers=_SECRET)

    @app.get("/.well-known/openid-configuration", **openapi.DISCOVERY)
    async def discovery() -> Response:
        return as_json(issuer.discovery(), headers=_CACHED)

    @app.get("/.well-known/jwks.json", **openapi.KEY_SET)
    async def key_set() -> Response:
        return as_json(issuer.key_set(), headers=_CACHED)


def _form(request: Request, body: bytes) -> Mapping[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Problem(415, "unsupported-media-type", "Send application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=20
        )
    except ValueError:
        raise _error("invalid_request", "The body is not a form.") from None
    if len(dict(pairs)) != len(pairs):
        raise _error("invalid_request", "A parameter is given twice.")
    return dict(pairs)


def _credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """By Basic authentication or in the form, not both (RFC 6749, 2.3.1)."""
    header = request.headers.getlist("authorization")
    if not header:
        return form.get("client_id", ""), form.get("client_secret", "")
    if len(header) > 1 or "client_secret" in form:
        raise _error("invalid_request", "Authenticate in one way.")
    scheme, _, encoded = header[0].partition(" ")
    try:
        client, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        raise _unknown_client() from None
    if scheme.lower() != "basic" or not colon:
        raise _unknown_client()
    client = unquote_plus(client)
    if form.get("client_id", client) != client:
        raise _error("invalid_request", "The form names another client than the header.")
    return client, unquote_plus(secret)


def _error(code: str, detail: str) -> Problem:
    return Problem(400, code.replace("_", "-"), detail, _SECRET, {"error": code})


def _unknown_client() -> Problem:
    headers = {**_SECRET, "WWW-Authenticate": 'Basic realm="orderly", charset="UTF-8"'}
    detail = "There is no such client, or its secret is another."
    return Problem(401, "invalid-client", detail, headers, {"error": "invalid_client"})
