"""People log in: authorization code with PKCE, what the code is good for, and every way in which it must not work."""

from pathlib import Path

import pytest

from common.security.identity import Identity
from common.testing.http import Reply
from gateway import codes
from gateway.testing import Edge, edge
from gateway.visit import CONSOLE, Visit, answered

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
