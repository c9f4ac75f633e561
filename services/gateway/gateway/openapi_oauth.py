"""The built-in issuer's routes, as OpenAPI tells them."""

from collections.abc import Iterable
from typing import Any

from common.security.policy import ROLES
from gateway.openapi import plain

_STRING = {"type": "string"}
_HTML = {"text/html": {"schema": _STRING}}
_SENT_BACK = {303: {"headers": {"Location": {"schema": _STRING}}}}
_CLIENT = {"client_id": _STRING, "client_secret": _STRING}


def _form(required: Iterable[str], properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "required": list(required), "properties": properties, **more}
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def _asked() -> list[dict[str, Any]]:
    schemas: dict[str, Any] = {
        "response_type": {"const": "code"},
        "client_id": _STRING,
        "redirect_uri": _STRING,
        "code_challenge": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
        "code_challenge_method": {"const": "S256"},
        "state": {"type": "string", "maxLength": 512},
    }
    return [
        {"name": name, "in": "query", "required": name != "state", "schema": schema} for name, schema in schemas.items()
    ]


METADATA = plain("authorization_server", "What the built-in issuer can do (RFC 8414)")
DISCOVERY = plain("openid_configuration", "The same, where OpenID Connect looks for it")
KEY_SET = plain("key_set", "The built-in issuer's public keys")
AUTHORIZE = plain(
    "authorize",
    "The page on which people log in to an application (authorization code with PKCE)",
    {429, 503},
    {200: {"content": _HTML}, 400: {"content": _HTML}, **_SENT_BACK},
    parameters=_asked(),
)
LOGIN = plain(
    "log_in",
    "Its form; back to the application with a code",
    {413, 415, 429, 503},
    {400: {"content": _HTML}, 403: {"content": _HTML}, 429: {"content": _HTML}, **_SENT_BACK},
    parameters=_asked(),
    requestBody=_form(
        ("ticket", "name", "password"),
        {"ticket": _STRING, "name": _STRING, "password": {**_STRING, "format": "password"}},
    ),
)
TOKEN = plain(
    "token",
    "An access token: for a client's credentials, or for the code that an application was given",
    {401, 413, 415, 429, 503},
    requestBody=_form(
        ("grant_type",),
        {
            "grant_type": {"enum": ["authorization_code", "client_credentials"]},
            "code": _STRING,
            "redirect_uri": _STRING,
            "code_verifier": _STRING,
            **_CLIENT,
        },
    ),
)
REVOKE = plain(
    "revoke",
    "Make a token count no more, here and at every other gateway (RFC 7009)",
    {401, 413, 415, 429, 503},
    {200: {}},
    requestBody=_form(("token",), {"token": _STRING, "token_type_hint": _STRING, **_CLIENT}),
)


def flows(url: str) -> dict[str, Any]:
    """How to get a token, as a security scheme."""
    token, scopes = f"{url}/oauth/token", {role: f"what a {role} may do" for role in ROLES}
    return {
        "type": "oauth2",
        "flows": {
            "clientCredentials": {"tokenUrl": token, "scopes": scopes},
            "authorizationCode": {
                "authorizationUrl": f"{url}/oauth/authorize",
                "tokenUrl": token,
                "scopes": scopes,
            },
        },
    }
