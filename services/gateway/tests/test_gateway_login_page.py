"""The page on which people log in: it takes names and passwords for nobody else, and gives nothing away."""

import base64
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.testing import Edge, edge
from gateway.visit import CONSOLE, FORM, Visit

pytest_plugins = ["gateway.fixtures"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "bob-secret"), ("alice", ""), ("mallory", "mallory-secret"), ("", ""), ("alice\n", "alice-secret")],
)
async def test_a_wrong_name_or_password_is_told_on_the_page_and_not_which(
    gateway: Edge, name: str, password: str
) -> None:
    visit = Visit(gateway)
    await visit.page()
    reply = await visit.send(name, password)
    assert (reply.status, "location" in reply.headers) == (403, False)
    assert b"Name or password is not right." in reply.body
    assert b"mallory" not in reply.body
    assert (await visit.send()).status == 303, "the same page does for another try"


async def test_A2_guessing_a_password_is_slow_and_counts_together_with_secrets(gateway: Edge) -> None:
    visit, name = Visit(gateway), "customer-whose-password-is-guessed"
    await visit.page()
    for _ in range(5):
        assert (await visit.send(name, "x")).status == 403
        assert (await gateway.token(name, "x")).status == 401
    reply = await visit.send(name, f"{name}-secret")
    assert (reply.status, reply.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert int(reply.headers["retry-after"]) >= 1


@pytest.mark.parametrize("case", ["no cookie", "another cookie", "no ticket", "another ticket", "an empty pair"])
async def test_a_form_that_some_other_site_made_is_not_taken(gateway: Edge, case: str) -> None:
    visit = Visit(gateway)
    await visit.page()
    name, _, ticket = visit.cookie.partition("=")
    changed = {"no cookie": "", "another cookie": f"{name}={secrets.token_urlsafe(32)}", "an empty pair": f"{name}="}
    sent = {"no ticket": "", "another ticket": secrets.token_urlsafe(32), "an empty pair": ""}.get(case, ticket)
    visit.cookie = changed.get(case, visit.cookie)
    reply = await visit.send(ticket=sent)
    assert (reply.status, "location" in reply.headers) == (403, False)


async def test_the_page_has_no_script_is_in_no_frame_and_nobody_keeps_it(gateway: Edge) -> None:
    page = await Visit(gateway).page()
    html = page.body.decode()
    assert not re.search(r"<script|\son\w+\s*=|javascript:", html, re.IGNORECASE)
    assert not re.search(r"""(?:src|href)\s*=""", html), "it loads nothing"
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self' http://gateway.test; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    cookie = page.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))


async def test_by_https_the_cookie_is_for_this_very_host() -> None:
    async with edge(gateway_url="https://shop.example") as gateway:
        visit = Visit(gateway, {"redirect_uri": "https://shop.example/console/callback"})
        page = await visit.page()
        assert page.headers["set-cookie"].startswith("__Host-orderly-login=")
        assert "Secure" in page.headers["set-cookie"].split("; ")
        assert (await visit.send()).status == 303


async def test_the_console_may_be_elsewhere_and_at_several_addresses() -> None:
    elsewhere = "https://console.example/a?b=c"
    async with edge(console_redirects=f"{elsewhere},{CONSOLE}") as gateway:
        visit = Visit(gateway, {"redirect_uri": elsewhere})
        await visit.page()
        where = urlsplit((await visit.send()).headers["location"])
        assert (where.netloc, dict(parse_qsl(where.query))["b"]) == ("console.example", "c")


async def test_what_a_stranger_writes_never_comes_back_as_markup(gateway: Edge) -> None:
    nasty = '"><script>alert(1)</script>'
    for changes in ({"client_id": nasty}, {"redirect_uri": nasty}, {"state": nasty}, {"scope": nasty}):
        visit = Visit(gateway, dict(changes))
        page = await visit.page()
        assert b"<script" not in page.body
        assert b"<script" not in (await visit.send(name=nasty)).body


async def test_the_form_takes_no_other_media_type_and_no_large_body(gateway: Edge) -> None:
    path = Visit(gateway).path
    headers: dict[str, Any] = {"Content-Type": "application/json"}
    assert (await gateway.address.request("POST", path, headers, b"{}")).status == 415
    assert (await gateway.address.request("POST", path, FORM, b"a=" + b"b" * 9000)).status == 413
