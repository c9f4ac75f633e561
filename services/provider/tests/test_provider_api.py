"""The simulated provider over real HTTP: every demo card, idempotency, and what a merchant may get wrong."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from common.clock import system_clock
from common.testing.http import Address, Reply, serving
from provider import api, ledger
from provider.counter import Counter
from provider.journal import Journal
from provider.settings import Settings

PATIENT = 5_000
QUICK = 100


@dataclass(frozen=True)
class Merchant:
    address: Address

    async def authorize(self, reference: str = "o1", token: str = "tok_ok", key: str = "", **changed: Any) -> Reply:
        body = {"reference": reference, "amount": 1999, "currency": "EUR", "token": token, **changed}
        return await self.post("/v1/authorizations", key or f"{reference}/authorize", json.dumps(body).encode())

    async def ask(self, operation: str, reference: str = "o1", key: str = "") -> Reply:
        return await self.post(f"/v1/authorizations/{reference}/{operation}", key or f"{reference}/{operation}")

    async def post(self, path: str, key: str, body: bytes = b"") -> Reply:
        headers = {"idempotency-key": key, "content-type": "application/json"}
        return await self.address.request("POST", path, headers, body)

    async def find(self, key: str) -> Reply:
        return await self.address.request("GET", f"/v1/operations/{key.replace('/', '%2F')}")

    async def ledger(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        query = "limit=2"
        while query:
            page = (await self.address.request("GET", f"/v1/ledger?{query}")).json()
            found += [(entry["key"], entry["result"]) for entry in page["items"]]
            query = f"limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        return found


@contextlib.asynccontextmanager
async def open_for_business(data: Path, **changed: Any) -> AsyncIterator[Merchant]:
    settings = Settings(data=data, **{"provider_slow_ms": QUICK, "provider_hesitant_ms": QUICK, **changed})
    journal = Journal(ledger.path(data), ledger.SCHEMA)
    try:
        async with serving(api.build(Counter(journal, settings, system_clock))) as address:
            yield Merchant(address)
    finally:
        journal.close()


@pytest.fixture
async def merchant(tmp_path: Path) -> AsyncIterator[Merchant]:
    async with open_for_business(tmp_path) as found:
        yield found


def said(reply: Reply) -> tuple[int, str, str]:
    answer = reply.json()
    return reply.status, answer["result"], answer["detail"]


DONE = (200, "done", "")


async def test_a_good_card_is_authorized_captured_and_refunded(merchant: Merchant) -> None:
    authorized = await merchant.authorize()
    assert said(authorized) == DONE
    assert {name: authorized.json()[name] for name in ("reference", "operation", "amount", "currency")} == {
        "reference": "o1",
        "operation": "authorize",
        "amount": 1999,
        "currency": "EUR",
    }
    captured = await merchant.ask("capture")
    assert said(captured) == DONE and captured.json()["amount"] == 1999
    assert said(await merchant.ask("refund")) == DONE


async def test_a_capture_is_done_once_whatever_the_key(merchant: Merchant) -> None:
    await merchant.authorize()
    assert said(await merchant.ask("capture")) == DONE
    assert said(await merchant.ask("capture", key="another")) == (200, "declined", "cannot capture what is captured")


@pytest.mark.parametrize(
    ("token", "reason"), [("tok_declined", "insufficient funds"), ("4111111111111111", "unknown card")]
)
async def test_a_bad_card_is_declined(merchant: Merchant, token: str, reason: str) -> None:
    assert said(await merchant.authorize(token=token)) == (200, "declined", reason)


async def test_the_same_key_gets_the_same_answer_byte_for_byte(merchant: Merchant) -> None:
    first = await merchant.authorize()
    await merchant.ask("void")
    assert (await merchant.authorize()).body == first.body
    assert (await merchant.find("o1/authorize")).body == first.body
    assert await merchant.ledger() == [("o1/authorize", "done"), ("o1/void", "done")]


async def test_equal_keys_at_the_same_moment_are_one_operation(merchant: Merchant) -> None:
    replies = await asyncio.gather(*(merchant.authorize() for _ in range(20)))
    assert len({reply.body for reply in replies}) == 1
    assert await merchant.ledger() == [("o1/authorize", "done")]


async def test_another_body_under_the_same_key_is_refused(merchant: Merchant) -> None:
    await merchant.authorize()
    for reply in (
        await merchant.authorize(amount=1),
        await merchant.authorize("o2", key="o1/authorize"),
        await merchant.ask("capture", key="o1/authorize"),
    ):
        assert reply.status == 422 and reply.is_problem
    assert await merchant.ledger() == [("o1/authorize", "done")]


async def test_a_void_that_overtakes_its_authorization_bars_it(merchant: Merchant) -> None:
    assert said(await merchant.ask("void")) == DONE
    assert said(await merchant.authorize()) == (200, "declined", "cannot authorize what is voided")


async def test_an_operation_that_was_never_heard_of_is_404(merchant: Merchant) -> None:
    reply = await merchant.find("o1/authorize")
    assert reply.status == 404 and reply.is_problem


async def test_a_slow_card_is_authorized_late(merchant: Merchant) -> None:
    asked = asyncio.create_task(merchant.authorize(token="tok_slow"))
    await asyncio.sleep(QUICK / 5000)
    assert (await merchant.find("o1/authorize")).status == 404
    assert said(await asked) == DONE


async def test_a_void_during_a_slow_authorization_wins(merchant: Merchant) -> None:
    asked = asyncio.create_task(merchant.authorize(token="tok_slow"))
    await asyncio.sleep(QUICK / 5000)
    assert said(await merchant.ask("void")) == DONE
    assert said(await asked)[1] == "declined"


async def test_a_lost_answer_is_lost_once_and_the_operation_is_done(merchant: Merchant) -> None:
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await merchant.authorize(token="tok_lost")
    assert said(await merchant.find("o1/authorize")) == DONE
    assert said(await merchant.authorize(token="tok_lost")) == DONE
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await merchant.ask("capture")
    assert said(await merchant.ask("capture")) == DONE
    assert await merchant.ledger() == [("o1/authorize", "done"), ("o1/capture", "done")]


async def test_an_erring_card_fails_twice_without_doing_anything(merchant: Merchant) -> None:
    for _ in range(2):
        assert (await merchant.authorize(token="tok_error")).status == 500
        assert (await merchant.find("o1/authorize")).status == 404
    assert said(await merchant.authorize(token="tok_error")) == DONE


@pytest.mark.parametrize("undo", ["void", "refund"])
async def test_a_card_whose_undoing_fails_is_undone_at_the_third_attempt(merchant: Merchant, undo: str) -> None:
    assert said(await merchant.authorize(token="tok_refund_fails")) == DONE
    if undo == "refund":
        assert said(await merchant.ask("capture")) == DONE
    assert [(await merchant.ask(undo)).status for _ in range(3)] == [500, 500, 200]


async def test_its_undoing_fails_also_while_the_authorization_is_on_its_way(tmp_path: Path) -> None:
    async with open_for_business(tmp_path, provider_hesitant_ms=PATIENT) as merchant:
        asked = asyncio.create_task(merchant.authorize(token="tok_refund_fails"))
        await asyncio.sleep(0.05)
        assert [(await merchant.ask("void")).status for _ in range(3)] == [500, 500, 200]
        asked.cancel()


async def test_failures_are_counted_over_a_restart(tmp_path: Path) -> None:
    for status in (500, 500, 200):
        async with open_for_business(tmp_path) as merchant:
            assert (await merchant.authorize(token="tok_error")).status == status


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"amount": "1999"}, 422),
        ({"amount": 19.99}, 422),
        ({"amount": True}, 422),
        ({"amount": -1}, 422),
        ({"amount": 10**12 + 1}, 422),
        ({"currency": "euro"}, 422),
        ({"reference": ""}, 422),
        ({"reference": "a b"}, 422),
        ({"extra": 1}, 422),
        ({"amount": float("nan")}, 400),
    ],
)
async def test_a_wrong_body_is_a_problem_and_nothing_happens(
    merchant: Merchant, changed: dict[str, Any], status: int
) -> None:
    reply = await merchant.authorize(key="k", **changed)
    assert reply.status == status and reply.is_problem
    assert await merchant.ledger() == []


async def test_a_key_is_needed_to_act(merchant: Merchant) -> None:
    reply = await merchant.address.request("POST", "/v1/authorizations/o1/void")
    assert reply.status == 400 and reply.is_problem


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=101", "cursor=x", "cursor=-1", "cursor=" + "9" * 30])
async def test_an_unusable_page_is_a_problem(merchant: Merchant, query: str) -> None:
    reply = await merchant.address.request("GET", f"/v1/ledger?{query}")
    assert reply.status == 422 and reply.is_problem
