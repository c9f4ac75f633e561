"""Every command against the real platform, as a user types it."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.clock import system_clock
from common.eventlog import Record
from laws.journal import Journal, JournalEntry
from orderly import keeping, story
from orderly.testing import Platform, eventually, platform_at

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform_at(tmp_path_factory.mktemp("platform") / "data") as made:
        made.environment["ORDERLY_RATE_LIMIT"] = "off"
        made.up()
        assert made.orderly("product", "put", "tea", "--name", "Tea", "--price", "12.90").returncode == 0
        assert made.orderly("product", "receive", "tea", "100").returncode == 0
        yield made


def asked(platform: Platform, *arguments: str) -> dict[str, Any]:
    done = platform.orderly(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def place(platform: Platform, *arguments: str) -> dict[str, Any]:
    return asked(platform, "order", "place", "--sku", "tea:2", "--wait", "20", *arguments)


def test_a_token_is_printed_alone(platform: Platform) -> None:
    printed = platform.orderly("token", "alice").stdout
    assert printed.count("\n") == 1
    assert printed.count(".") == 2  # header, claims, signature


def test_a_revoked_token_is_refused_and_so_are_all_when_the_key_was_stolen(platform: Platform) -> None:
    base = platform.run().base_url
    revoked, other = (platform.orderly("token", name).stdout.strip() for name in ("bob", "alice"))
    assert (answer(base, revoked), answer(base, other)) == (200, 200)
    assert platform.orderly("token", "--revoke", revoked).returncode == 0
    assert (answer(base, revoked), answer(base, other)) == (401, 200)
    assert platform.orderly("keys", "rotate", "--tokens", "--forget").returncode == 0
    eventually(lambda: answer(base, other) == 401, within=30)


BROWSER = """
import re, sys, urllib.parse, urllib.request
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
ticket = re.search(r'name="ticket" value="([^"]+)"', browser.open(sys.argv[1]).read().decode())[1]
form = {"ticket": ticket, "name": "bob", "password": "bob-secret"}  # pragma: allowlist secret
assert b"logged in" in browser.open(sys.argv[1], urllib.parse.urlencode(form).encode()).read()
"""


def test_whoever_logs_in_with_a_browser_gets_a_token(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "browser.py").write_text(BROWSER)
    monkeypatch.setitem(platform.environment, "BROWSER", f"{sys.executable} {tmp_path / 'browser.py'} %s")
    assert answer(platform.run().base_url, platform.orderly("token", "--login").stdout.strip()) == 200


def answer(base: str, token: str) -> int:
    """The status of a request with this token."""
    request = urllib.request.Request(f"{base}/v1/orders", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answered:
            return int(answered.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_an_order_is_placed_shown_and_listed(platform: Platform) -> None:
    order = place(platform)
    assert (order["status"], order["total"]) == ("confirmed", {"amount": 2580, "currency": "EUR"})
    assert asked(platform, "order", "show", order["order_id"])["order_id"] == order["order_id"]
    assert order["order_id"] in [it["order_id"] for it in asked(platform, "order", "list")["items"]]
    assert platform.orderly("order", "list", "--as", "customer-of-nothing").stdout.endswith("has no orders\n")


def test_the_same_key_is_the_same_order(platform: Platform) -> None:
    first, second = (place(platform, "--key", "twice") for _ in range(2))
    assert first["order_id"] == second["order_id"]


def test_an_order_is_watched_to_its_end(platform: Platform) -> None:
    watched = platform.orderly("order", "place", "--sku", "tea", "--token", "tok_lost", "--watch").stdout
    told = [line for line in watched.splitlines() if " ms " in line]
    assert "PlaceOrder" in told[0]
    assert "AttemptFailed" in watched
    assert any("OrderConfirmed" in line for line in told)
    assert (
        sum("PaymentCaptured" in line for line in told) == 2
    )  # as payment's event and as the order's reply: each once
    assert watched.splitlines()[-1].strip().startswith("confirmed ord_")


def test_a_customer_may_cancel_while_it_is_not_too_late(platform: Platform) -> None:
    order = asked(platform, "order", "place", "--sku", "tea", "--token", "tok_slow")
    assert asked(platform, "order", "cancel", order["order_id"], "--wait", "20")["status"] == "cancelled"
    late = platform.orderly("order", "cancel", place(platform)["order_id"])
    assert late.returncode == 1
    assert "409" in late.stderr


def test_another_customers_order_does_not_exist(platform: Platform) -> None:
    hidden = platform.orderly("order", "show", place(platform)["order_id"], "--as", "bob")
    assert (hidden.returncode, "404" in hidden.stderr) == (1, True)


def test_the_past_of_an_order_can_be_visited(platform: Platform) -> None:
    order_id = place(platform)["order_id"]
    assert asked(platform, "state", order_id, "--at", "+0ms")["status"] == "pending"
    now = asked(platform, "state", order_id)
    assert now["status"] == "confirmed"
    assert now["events"][0]["type"] == "OrderPlaced"
    assert platform.orderly("state", order_id, "--at", "2000-01-01").stdout.startswith("it did not exist then")


def test_the_log_is_read_by_key(platform: Platform) -> None:
    order_id = place(platform)["order_id"]
    done = platform.orderly("log", "read", "order.commands", "--key", order_id, "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records[0]["headers"]["type"] == "PlaceOrder"
    assert {it["key"] for it in records} == {order_id}


def test_poison_is_listed_and_sent_back(platform: Platform) -> None:
    log = keeping.open_engine(platform.folder).open_log()
    try:
        headers = {"id": "p1", "type": "NoSuchCommand", "schema": "1", "at": "1", "actor": "test", "correlation": "c"}
        log.append([Record("order.commands", "ord_poison", b"{}", headers)]).result(10)
    finally:
        log.close()
    eventually(lambda: len(asked(platform, "dead-letters", "list")["items"]) == 1, within=20)
    (letter,) = asked(platform, "dead-letters", "list", "order")["items"]
    assert "NoSuchCommand" in letter["reason"]
    assert letter["redriven"] is False
    sent = platform.orderly("dead-letters", "redrive", "order", letter["position"])
    assert "→ order.commands/" in sent.stdout
    eventually(lambda: len(asked(platform, "dead-letters", "list")["items"]) == 2, within=20)  # it is no better now
    again = asked(platform, "dead-letters", "list")["items"]
    assert [it["redriven"] for it in again] == [True, False]
    assert again[1]["record"]["headers"]["actor"] == "operator:cli"
    shown = json.loads(platform.orderly("dead-letters", "show", "order", letter["position"]).stdout)
    assert shown["record"]["value"] == {}


def test_a_read_model_is_rebuilt_beside_the_live_one_and_switched_to(platform: Platform) -> None:
    order = place(platform)
    for arguments in (["replay", "order"], ["replay", "order", "--switch"]):
        done = platform.orderly(*arguments)
        assert done.returncode == 0, done.stderr
        assert "all are the same" in done.stdout + done.stderr
    assert asked(platform, "order", "show", order["order_id"])["status"] == "confirmed"


def test_the_demo_uses_a_platform_that_runs_and_leaves_it_running(platform: Platform) -> None:
    done = platform.orderly("demo", "--memory-within", "500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 5 orders ended as they should" in done.stdout
    assert "onfirmed" not in done.stdout[: done.stdout.index("OrderConfirmed")]
    assert platform.orderly("status").returncode == 0


def test_a_story_that_ends_otherwise_than_it_should_is_told_so(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = story.SCENES[0]
    monkeypatch.setattr(story, "SCENES", (replace(good, ends="cancelled", payment=None), good))
    said: list[str] = []
    told = story.tell(platform.folder, platform.run().base_url, said.append, said.append)
    assert told.wrong == 1
    assert any("the order is confirmed, it should be cancelled; the payment is captured" in line for line in said)


def test_the_bench_measures_and_its_orders_count(platform: Platform) -> None:
    found = asked(platform, "bench", "--rate", "5", "--duration", "2", "--in-flight", "4")
    assert found["constant"]["outcomes"] == {"confirmed": 10}
    assert found["saturation"]["orders"] == found["saturation"]["outcomes"]["confirmed"]
    assert found["saturation"]["completion_ms"]["p99"] > 0


def test_the_laws_hold_and_a_lie_in_a_journal_is_found_out(platform: Platform) -> None:
    held = asked(platform, "verify")
    assert held["verdict"] == "holds", held
    assert [it["id"] for it in held["laws"]] == [f"L{number}" for number in range(1, 15)]
    lie = platform.folder.journals / "lie.jsonl"
    with Journal(lie) as journal:
        journal.write(JournalEntry(at=system_clock(), kind="ack", client="mallory", order_id="ord_lost", code=202))
    try:
        found_out = platform.orderly("verify")
    finally:
        lie.unlink()
    assert found_out.returncode == 1
    assert "ord_lost" in found_out.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["order", "place", "--sku", "tea:lots"], "no quantity"),
        (["order", "place", "--sku", "no-such-thing"], "422"),
        (["product", "put", "tea", "--name", "Tea", "--price", "1", "--as", "alice"], "403"),
        (["log", "read", "no.such"], "there is no topic"),
        (["log", "read", "order.events", "--partition", "99"], "it has 12"),
        (["state", "ord_none"], "knows no order"),
        (["dead-letters", "list", "gateway"], "there is no service"),
        (["dead-letters", "show", "order", "0@999"], "no dead letter"),
        (["replay", "gateway"], "has no read model"),
    ],
)
def test_a_mistake_is_explained_without_a_traceback(platform: Platform, arguments: list[str], complaint: str) -> None:
    done = platform.orderly(*arguments)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
