"""The effect worker against the simulated provider, and against one that lies, over real HTTP."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.clock import system_clock
from common.contracts.money import Money
from common.contracts.payment import Operation, ProviderAnswered, Result
from common.decider import Effect
from common.security.vault import Erased
from common.testing.http import serving
from payment.domain import Call
from payment.provider import POLICY, ProviderWorker
from provider import api, ledger
from provider.counter import Counter
from provider.journal import Journal
from provider.settings import Settings

Asgi = Callable[[Any, Any, Any], Awaitable[None]]

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
AMOUNT: Mapping[str, Any] = {"amount": 1999, "currency": "EUR"}
GOOD: Mapping[str, Any] = {
    "key": "o1/authorize",
    "operation": "authorize",
    "reference": "o1",
    "result": "done",
    **AMOUNT,
}
ACT, ASK = "POST /v1/authorizations", "GET /v1/operations/o1/authorize"


def effect(operation: Operation = "authorize", attempt: int = 0, token: str = "tok_ok", order: str = "o1") -> Effect:
    call = Call(order, operation, attempt, Money(1999, "EUR"), token, ask_first=attempt > 0)
    return Effect(f"{order}/{operation}", call, TRACE)


def card(call: Call) -> str:
    """As if it had been sealed, and one of them erased."""
    if call.token == "tok_erased":
        raise Erased("payment_token of o1: erased, as the customer wished")
    return call.token


@dataclass
class Reports:
    """What the worker reported."""

    answers: list[ProviderAnswered] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, offered: Effect, answer: ProviderAnswered, traceparent: str) -> None:
        assert offered.id == f"{answer.order_id}/{answer.operation}"
        self.answers.append(answer)
        self.traces.append(traceparent)
        self.arrived.set()

    async def next(self) -> ProviderAnswered:
        await self.count(len(self.answers) + 1)
        return self.answers[-1]

    async def count(self, number: int) -> None:
        async with asyncio.timeout(10):
            while len(self.answers) < number:
                self.arrived.clear()
                await self.arrived.wait()


@dataclass
class Watched:
    """An application, and what was asked of it."""

    app: Asgi
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(f"{scope['method']} {scope['path']}")
        assert (b"traceparent", TRACE.encode()) in scope["headers"]
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.app(scope, receive, send)
        finally:
            self.at_once -= 1


def answering(status: int, body: bytes, headers: Mapping[str, str] | None = None, delay: float = 0.0) -> Asgi:
    sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(delay)
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    return app


@dataclass
class Scene:
    watched: Watched
    worker: ProviderWorker
    reports: Reports

    async def outcome(self, offered: Effect, restored: bool = False) -> tuple[Result, str]:
        self.worker.offer(offered.intent.order_id, offered, restored)
        answer = await self.reports.next()
        assert (answer.operation, answer.attempt) == (offered.intent.operation, offered.intent.attempt)
        return answer.result, answer.detail


@contextlib.asynccontextmanager
async def scene(app: Asgi, offered: Sequence[Effect] = (), **chosen: Any) -> AsyncIterator[Scene]:
    watched, reports = Watched(app), Reports()
    async with serving(watched) as address:
        worker = ProviderWorker(address.url, reports, card, **chosen)
        for early in offered:
            worker.offer(early.intent.order_id, early, False)
        await worker.start()
        try:
            yield Scene(watched, worker, reports)
        finally:
            await worker.drain(0.1)


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[Scene]:
    journal = Journal(ledger.path(tmp_path), ledger.SCHEMA)
    settings = Settings(data=tmp_path, provider_slow_ms=500)
    async with scene(api.build(Counter(journal, settings, system_clock)), patience=0.3) as found:
        yield found
    journal.close()


async def test_what_the_provider_did_is_reported_with_its_trace(simulated: Scene) -> None:
    for operation in ("authorize", "capture", "refund"):
        assert await simulated.outcome(effect(operation)) == ("done", "")
    assert simulated.reports.traces == [TRACE] * 3
    assert simulated.watched.asked == [ACT, f"{ACT}/o1/capture", f"{ACT}/o1/refund"]


async def test_a_decline_is_reported_with_its_reason(simulated: Scene) -> None:
    assert await simulated.outcome(effect(token="tok_declined")) == ("declined", "insufficient funds")


async def test_a_void_of_what_the_provider_never_heard_of_is_done(simulated: Scene) -> None:
    assert await simulated.outcome(effect("void")) == ("done", "")


async def test_a_card_that_was_erased_is_not_charged_and_its_order_can_be_undone(simulated: Scene) -> None:
    result, detail = await simulated.outcome(effect(token="tok_erased"))
    assert (result, "erased" in detail, simulated.watched.asked) == ("unknown", True, [])
    assert await simulated.outcome(effect("void")) == ("done", "")


async def test_after_a_lost_answer_it_asks_instead_of_acting_again(simulated: Scene) -> None:
    result, _ = await simulated.outcome(effect(token="tok_lost"))
    assert result == "unknown"
    assert await simulated.outcome(effect(token="tok_lost", attempt=1)) == ("done", "")
    assert simulated.watched.asked == [ACT, ASK]


async def test_after_an_error_it_asks_and_then_acts(simulated: Scene) -> None:
    outcomes = [(await simulated.outcome(effect(token="tok_error", attempt=attempt)))[0] for attempt in range(3)]
    assert outcomes == ["unknown", "unknown", "done"]
    assert simulated.watched.asked == [ACT, ASK, ACT, ASK, ACT]


async def test_after_a_restart_it_asks_first_even_at_the_first_attempt(simulated: Scene) -> None:
    await simulated.outcome(effect())
    assert await simulated.outcome(effect(), restored=True) == ("done", "")
    assert simulated.watched.asked == [ACT, ASK]


async def test_a9_a_provider_that_takes_too_long_is_unknown_and_asked_later(simulated: Scene) -> None:
    assert await simulated.outcome(effect(token="tok_slow")) == ("unknown", "no answer in time")
    await asyncio.sleep(0.4)
    assert await simulated.outcome(effect(token="tok_slow", attempt=1)) == ("done", "")


async def test_nobody_there_is_unknown() -> None:
    async with scene(answering(200, b"")) as found:
        absent = ProviderWorker("http://127.0.0.1:1", found.reports, card)
        await absent.start()
        absent.offer("o1", effect(), False)
        assert (await found.reports.next()).result == "unknown"
        await absent.drain()


async def test_it_does_not_act_when_the_question_is_not_answered() -> None:
    async with scene(answering(500, b"")) as found:
        assert (await found.outcome(effect(attempt=1)))[0] == "unknown"
        assert found.watched.asked == [ASK]


HOSTILE: Mapping[str, tuple[int, bytes, Mapping[str, str]]] = {
    "not JSON": (200, b"<html>", {}),
    "not UTF-8": (200, b'{"key": "\xff"}', {}),
    "a null": (200, json.dumps({**GOOD, "result": None}).encode(), {}),
    "a wrong type": (200, json.dumps({**GOOD, "amount": "1999"}).encode(), {}),
    "an amount beyond all bounds": (200, json.dumps({**GOOD, "amount": 10**300}).encode(), {}),
    "an unknown result": (200, json.dumps({**GOOD, "result": "maybe"}).encode(), {}),
    "another key": (200, json.dumps({**GOOD, "key": "o2/authorize"}).encode(), {}),
    "another order": (200, json.dumps({**GOOD, "reference": "o2"}).encode(), {}),
    "another operation": (200, json.dumps({**GOOD, "operation": "void"}).encode(), {}),
    "another amount": (200, json.dumps({**GOOD, "amount": 2}).encode(), {}),
    "another currency": (200, json.dumps({**GOOD, "currency": "USD"}).encode(), {}),
    "too long": (200, json.dumps(GOOD).encode() + b" " * POLICY.largest, {}),
    "too deep": (200, b'{"x":' + b"[" * 8_000, {}),
    "compressed": (200, b"\x1f\x8b\x08\x00", {"content-encoding": "gzip"}),
    "a long reason": (200, json.dumps({**GOOD, "detail": "x" * 1_001}).encode(), {}),
    "a redirect": (307, b"", {"location": "/elsewhere"}),
    "another success": (202, json.dumps(GOOD).encode(), {}),
    "a client error": (422, json.dumps(GOOD).encode(), {}),
    "a header too long": (200, json.dumps(GOOD).encode(), {"x-long": "x" * 100_000}),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a9_an_answer_that_cannot_be_believed_is_unknown(name: str) -> None:
    async with scene(answering(*HOSTILE[name])) as found:
        result, detail = await found.outcome(effect())
        assert result == "unknown" and len(detail) <= 200
        assert found.watched.asked == [ACT]


@pytest.mark.parametrize(("pause", "why"), [(0.0, "no usable answer"), (0.02, "no answer in time")])
async def test_a9_an_answer_without_an_end_is_unknown(pause: float, why: str) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10_000):
            await send({"type": "http.response.body", "body": b" " * 100, "more_body": True})
            await asyncio.sleep(pause)

    async with scene(endless, patience=0.5) as found:
        result, detail = await found.outcome(effect())
        assert result == "unknown" and detail.startswith(why)


async def test_a9_a_reason_is_stripped_of_what_does_not_print() -> None:
    nasty = {**GOOD, "result": "declined", "detail": "no\r\nLocation: x\u202e" + "y" * 900}
    async with scene(answering(200, json.dumps(nasty).encode())) as found:
        result, detail = await found.outcome(effect())
        assert (result, detail[:14], len(detail) <= 200) == ("declined", "noLocation: xy", True)


async def test_an_effect_offered_twice_while_in_work_is_performed_once() -> None:
    async with scene(answering(200, json.dumps(GOOD).encode(), delay=0.1)) as found:
        for _ in range(3):
            found.worker.offer("o1", effect(), False)
        await found.reports.count(1)
        await asyncio.sleep(0.15)
        assert len(found.reports.answers) == len(found.watched.asked) == 1


async def test_the_next_attempt_is_not_taken_for_the_one_in_work() -> None:
    async with scene(answering(200, json.dumps(GOOD).encode(), delay=0.1)) as found:
        found.worker.offer("o1", effect(), False)
        found.worker.offer("o1", effect(attempt=1), False)
        await found.reports.count(2)
        assert {answer.attempt for answer in found.reports.answers} == {0, 1}


async def test_no_more_than_so_many_calls_are_in_work_at_once() -> None:
    async with scene(answering(503, b"", delay=0.02), concurrency=3) as found:
        for number in range(20):
            found.worker.offer(f"o{number}", effect(order=f"o{number}"), False)
        await found.reports.count(20)
        assert found.watched.most_at_once == 3


async def test_offers_from_other_threads_and_from_before_the_start_are_taken() -> None:
    async with scene(answering(503, b""), offered=[effect(order="o2")]) as found:
        await asyncio.to_thread(found.worker.offer, "o1", effect(), False)
        await found.reports.count(2)


async def test_a_drain_finishes_what_is_in_work_and_begins_nothing() -> None:
    async with scene(answering(200, json.dumps(GOOD).encode(), delay=0.1), concurrency=1) as found:
        found.worker.offer("o1", effect(), False)
        found.worker.offer("o2", effect(order="o2"), False)
        await asyncio.sleep(0.02)
        await found.worker.drain()
        assert [answer.order_id for answer in found.reports.answers] == ["o1"]
        assert len(found.watched.asked) == 1


async def test_a_drain_does_not_wait_for_ever() -> None:
    async with scene(answering(200, b"", delay=5.0)) as found:
        found.worker.offer("o1", effect(), False)
        await asyncio.sleep(0.02)
        await found.worker.drain(0.05)
        assert found.reports.answers == []
