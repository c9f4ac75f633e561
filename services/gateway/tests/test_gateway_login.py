"""People log in: authorization code with PKCE, from the page to the token, and every way in which it must not work."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from common.security.identity import Identity
from common.testing.http import Reply
from gateway import codes
from gateway.testing import Edge, edge

CONSOLE = "http://gateway.test/console/callback"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Visit:
    """Somebody whom an application has sent to log in. `asked` is what it said; None leaves a parameter out."""

    gateway: Edge
    asked: dict[str, str | None] = field(default_factory=dict)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    cookie: str = ""

    @property
    def path(self) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        right: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "console",
            "redirect_uri": CONSOLE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": "s t&1",
        }
        return "/oauth/authorize?" + urlencode({k: v for k, v in {**right, **self.asked}.items() if v is not None})

    async def page(self) -> Reply:
        reply = await self.gateway.address.request("GET", self.path)
        self.cookie = reply.headers.get("set-cookie", "").partition(";")[0]
        return reply

    async def send(self, name: str = "alice", password: str = "alice-secret", **more: str) -> Reply:
        """The form, with the cookie that came with the page."""
        form = {"ticket": self.cookie.partition("=")[2], "name": name, "password": password, **more}
        headers = {**FORM, **({"Cookie": self.cookie} if self.cookie else {})}
        return await self.gateway.address.request("POST", self.path, headers, urlencode(form).encode())

    async def code(self, name: str = "alice") -> str:
        await self.page()
        reply = await self.send(name, f"{name}-secret")
        assert reply.status == 303, reply.body
        return answered(reply)["code"]

    async def token(self, code: str, at: Edge | None = None, **changes: str) -> Reply:
        form = {
            "grant_type": "authorization_code",
            "client_id": "console",
            "redirect_uri": CONSOLE,
            "code": code,
            "code_verifier": self.verifier,
            **changes,
        }
        to = (at or self.gateway).address
        return await to.request("POST", "/oauth/token", FORM, urlencode(form).encode())


def answered(reply: Reply) -> Mapping[str, str]:
    """What the application is told, at its own address."""
    where, _, query = reply.headers["location"].partition("?")
    assert where == CONSOLE
    return dict(parse_qsl(query, strict_parsing=True))


pytest_plugins = ["gateway.fixtures"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def lists(gateway: Edge, token: str) -> Reply:
    return await gateway.address.request("GET", "/v1/orders", {"Authorization": f"Bearer {token}"})


async def test_who_logs_in_comes_back_with_a_code_that_is_worth_a_token_in_her_name(gateway: Edge) -> None:
    visit = Visit(gateway)
    page = await visit.page()
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    reply = await visit.send()
    assert (reply.status, reply.headers["cache-control"]) == (303, "no-store")
    told = answered(reply)
    assert told == {"code": told["code"], "state": "s t&1", "iss": "http://gateway.test"}
    answer = await visit.token(told["code"])
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json().keys() == {"access_token", "token_type", "expires_in"}
    assert (await lists(gateway, answer.json()["access_token"])).status == 200
    assert gateway.service.heard[-1].state.caller.subject == "alice"


async def test_an_operator_who_logs_in_is_one(gateway: Edge) -> None:
    visit = Visit(gateway)
    answer = await visit.token(await visit.code("operator"))
    await lists(gateway, answer.json()["access_token"])
    assert gateway.service.heard[-1].state.caller == Identity("operator", frozenset({"operator"}))


async def test_a_code_is_good_once_and_whoever_brings_it_again_revokes_what_it_was_worth(gateway: Edge) -> None:
    visit = Visit(gateway)
    code = await visit.code()
    token = (await visit.token(code)).json()["access_token"]
    assert (await lists(gateway, token)).status == 200
    again = await visit.token(code)
    assert (again.status, again.is_problem, again.json()["error"]) == (400, True, "invalid_grant")
    assert (await lists(gateway, token)).status == 401


async def test_a_code_that_one_gateway_gave_another_takes_and_it_is_still_good_once(tmp_path: Path) -> None:
    async with edge(data=tmp_path) as one, edge(data=tmp_path) as other:
        visit = Visit(one)
        code = await visit.code()
        token = (await visit.token(code, other)).json()["access_token"]
        assert (await lists(one, token)).status == (await lists(other, token)).status == 200
        assert (await visit.token(code, one)).json()["error"] == "invalid_grant"
        assert (await lists(one, token)).status == 401


async def test_a_code_is_good_for_a_minute(gateway: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < codes.LIFE <= 60
    monkeypatch.setattr(codes, "LIFE", -1)
    visit = Visit(gateway)
    assert (await visit.token(await visit.code())).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "a" * 43},
        {"code_verifier": "a"},
        {"code_verifier": ""},
        {"redirect_uri": CONSOLE + "/"},
        {"redirect_uri": ""},
        {"client_id": "orderly"},
        {"client_id": "unknown"},
        {"client_id": "alice", "client_secret": "alice-secret"},
        {"client_id": "alice", "client_secret": "wrong"},
        {"code": ""},
        {"code": "a.b.c"},
        {"grant_type": "implicit"},
    ],
    ids=str,
)
async def test_a_code_is_for_its_client_at_its_address_with_its_verifier(
    gateway: Edge, changes: dict[str, str]
) -> None:
    visit = Visit(gateway)
    code = await visit.code()
    others = {name: value for name, value in changes.items() if name != "code"}
    refused = await visit.token(changes.get("code", code), None, **others)
    assert (refused.status, refused.is_problem) in ((400, True), (401, True))
    assert (await visit.token(code)).status == 200, "and nobody else has spent it"


async def test_neither_a_token_is_a_code_nor_a_code_a_token(gateway: Edge) -> None:
    visit = Visit(gateway)
    assert (await lists(gateway, await visit.code())).status == 401
    token = (await gateway.token("alice")).json()["access_token"]
    assert (await visit.token(token)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"client_id": "alice"},
        {"redirect_uri": None},
        {"redirect_uri": CONSOLE + "/"},
        {"redirect_uri": CONSOLE + "?a=b"},
        {"redirect_uri": CONSOLE.upper()},
        {"redirect_uri": "http://gateway.test.evil.example/console/callback"},
        {"redirect_uri": "http://gateway.test/console/callback/../../elsewhere"},
        {"redirect_uri": "http://gateway.test@evil.example/console/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://127.0.0.1:8080/callback"},
        {"client_id": "orderly"},
        {"client_id": "orderly", "redirect_uri": "http://127.0.0.1/callback"},
        {"client_id": "orderly", "redirect_uri": "http://127.0.0.1:80@evil.example/callback"},
        {"client_id": "orderly", "redirect_uri": "http://127.0.0.1:8080/callback/"},
        {"client_id": "orderly", "redirect_uri": "http://localhost:8080/callback"},
    ],
    ids=str,
)
async def test_where_nobody_known_would_get_the_answer_nobody_is_sent_anywhere(
    gateway: Edge, changes: dict[str, str | None]
) -> None:
    visit = Visit(gateway, changes)
    for reply in (await visit.page(), await visit.send()):
        assert (reply.status, "location" in reply.headers) == (400, False)
        assert b"<form" not in reply.body and b"evil" not in reply.body


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"state": "a\nb"}, "invalid_request"),
        ({"state": "a" * 513}, "invalid_request"),
    ],
    ids=str,
)
async def test_every_other_fault_goes_back_to_the_application(
    gateway: Edge, changes: dict[str, str | None], error: str
) -> None:
    visit = Visit(gateway, changes)
    for reply in (await visit.page(), await visit.send()):
        assert reply.status == 303
        told = answered(reply)
        assert (told["error"], told["iss"]) == (error, "http://gateway.test")
        assert told.get("state") == (None if "state" in changes else "s t&1")


async def test_a_parameter_that_is_there_twice_is_a_fault(gateway: Edge) -> None:
    visit = Visit(gateway)
    twice = await gateway.address.request("GET", visit.path + "&code_challenge=x")
    assert answered(twice)["error"] == "invalid_request"
    for name in ("client_id=console", "redirect_uri=https://evil.example"):
        assert (await gateway.address.request("GET", f"{visit.path}&{name}")).status == 400


async def test_state_may_be_left_out(gateway: Edge) -> None:
    visit = Visit(gateway, {"state": None})
    await visit.page()
    assert answered(await visit.send()).keys() == {"code", "iss"}


async def test_a_program_on_the_persons_machine_may_listen_at_any_port(gateway: Edge) -> None:
    visit = Visit(gateway, {"client_id": "orderly", "redirect_uri": "http://127.0.0.1:50123/callback"})
    page = await visit.page()
    assert "form-action 'self' http://127.0.0.1:50123;" in page.headers["content-security-policy"]
    reply = await visit.send()
    assert reply.headers["location"].startswith("http://127.0.0.1:50123/callback?code=")


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
