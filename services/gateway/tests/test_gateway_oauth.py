"""The built-in issuer over HTTP: RFC 6749's client credentials, discovery, keys, and guessing made slow."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from common.clock import SECOND, system_clock
from common.security.tokens import demo_secret
from common.testing.http import Reply
from gateway.testing import Edge, edge

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def gateway() -> AsyncIterator[Edge]:
    async with edge() as it:
        yield it


async def ask(gateway: Edge, form: dict[str, str] | str, basic: str | None = None) -> Reply:
    headers = {**FORM}
    if basic is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
    body = form if isinstance(form, str) else urlencode(form)
    return await gateway.address.request("POST", "/oauth/token", headers, body.encode())


@pytest.mark.parametrize("client", ["alice", "bob", "operator", "customer-1", "customer-load.test_7"])
async def test_a_demo_client_gets_a_bearer_token_that_nobody_stores(gateway: Edge, client: str) -> None:
    reply = await gateway.token(client)
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.json().keys() == {"access_token", "token_type", "expires_in"}
    assert (reply.json()["token_type"], reply.json()["expires_in"]) == ("Bearer", 900)


async def test_basic_authentication_does_as_well(gateway: Edge) -> None:
    reply = await ask(gateway, {"grant_type": "client_credentials"}, f"alice:{demo_secret('alice')}")
    assert reply.status == 200


async def test_the_token_is_what_RFC_9068_says_and_the_published_keys_verify_it(gateway: Edge) -> None:
    token = (await gateway.token("operator")).json()["access_token"]
    discovery = (await gateway.address.request("GET", "/.well-known/openid-configuration")).json()
    assert discovery["issuer"] == "http://gateway.test"
    assert discovery["jwks_uri"] == "http://gateway.test/.well-known/jwks.json"
    keys = (await gateway.address.request("GET", "/.well-known/jwks.json")).json()
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(keys["keys"][0])
    found = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"])
    assert found.header["typ"] == "at+jwt"
    claims = found.claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("http://gateway.test", "orderly", "operator")
    assert (claims["client_id"], claims["roles"]) == ("operator", ["operator"])
    assert claims["exp"] - claims["iat"] == 900
    assert abs(claims["iat"] - system_clock() // SECOND) < 10
    assert claims["jti"]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": "alice", "client_secret": "alice-secret"}, 400, "invalid_request"),
        ({"grant_type": "password", "client_id": "alice"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "alice"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "alice", "client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "mallory", "client_secret": "mallory-secret"}, 401,
         "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "customer-", "client_secret": "customer--secret"}, 401,
         "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "alice\n", "client_secret": "alice\n-secret"}, 401,
         "invalid_client"),
        ("grant_type=client_credentials&client_id=alice&client_id=bob&client_secret=bob-secret", 400, "invalid_request"),
        ("grant_type", 400, "invalid_request"),
        ("%ff=%fe", 400, "invalid_request"),
        ("a=b&" * 30 + "c=d", 400, "invalid_request"),
    ],
)  # fmt: skip
async def test_what_is_no_grant_is_refused_with_OAuths_error_in_a_problem(
    gateway: Edge, form: dict[str, str] | str, status: int, error: str
) -> None:
    reply = await ask(gateway, form)
    assert (reply.status, reply.is_problem, reply.json()["error"]) == (status, True, error)
    assert b"mallory" not in reply.body
    assert reply.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in reply.headers) == (status == 401)


async def test_two_ways_to_authenticate_at_once_are_refused(gateway: Edge) -> None:
    form = {"grant_type": "client_credentials", "client_id": "bob", "client_secret": "bob-secret"}
    assert (await ask(gateway, form, "alice:alice-secret")).status == 400
    form = {"grant_type": "client_credentials", "client_id": "bob"}
    assert (await ask(gateway, form, "alice:alice-secret")).status == 400


@pytest.mark.parametrize("basic", ["", "alice", "alice:", ":", "alice:bob-secret"])
async def test_a_basic_header_that_proves_nothing_is_401(gateway: Edge, basic: str) -> None:
    assert (await ask(gateway, {"grant_type": "client_credentials"}, basic)).status == 401


async def test_another_media_type_is_415_and_a_large_form_413(gateway: Edge) -> None:
    reply = await gateway.address.request("POST", "/oauth/token", {"Content-Type": "application/json"}, b"{}")
    assert (reply.status, reply.is_problem) == (415, True)
    assert (await ask(gateway, "a=" + "b" * 9000)).status == 413


async def test_a_token_works_until_the_platform_has_been_started_again_and_after(tmp_path: Path) -> None:
    async with edge(data=tmp_path) as before:
        assert (await before.call("alice", "GET", "/v1/orders")).status == 200
    async with edge(data=tmp_path) as after:
        after.tokens = before.tokens
        assert (await after.call("alice", "GET", "/v1/orders")).status == 200
