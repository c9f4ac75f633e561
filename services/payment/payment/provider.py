"""Calls the payment provider, and reports what is known afterwards. No call is made twice for one attempt.

    offer ─▶ [ask by key, if it may have been tried before] ─▶ call with that key ─▶ report done, declined or unknown

An attempt ends with one report. What is offered and not decided upon when the process dies is offered again when its state is
restored. What the provider says is not trusted: too late,
too long, of the wrong type or about something else is `unknown`, and the provider is asked again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal
from urllib.parse import quote

import aiohttp
import msgspec
import structlog

from common import tracecontext
from common.codec import encode
from common.contracts.payment import Operation, ProviderAnswered, Result
from common.decider import Effect
from common.discovery import Discovery
from common.errors import Late
from common.http_client import Answer, Upstream
from common.resilience import deadline
from common.resilience.policy import Policy
from common.security.credentials import Credentials
from common.telemetry import traces
from common.topology import PROVIDER
from payment.domain import Call

PATIENCE = 3.0  # seconds for one attempt, the question before it included
CONCURRENCY = 64
LONGEST_DETAIL = 200

# An attempt that failed is followed by the payment's next one, with a question before it: nothing is repeated underneath. The
# breaker opens when nothing works any more, not when many cards are bad; while it is open the outcome of an attempt is unknown.
POLICY = Policy(deadline=PATIENCE, attempts=1, breaker=1.0, bulkhead=0, largest=16 * 1024)

Card = Callable[
    [Call], str
]  # opens the sealed token; what it raises makes the outcome unknown, and the saga gives up in time
Report = Callable[[Effect, ProviderAnswered, str], None]  # with the traceparent of the attempt

_log = structlog.get_logger("provider")


class _Answer(msgspec.Struct, frozen=True):
    """What we read of an answer. Strict: the provider's types are checked, and what else it sends is skipped."""

    key: str
    operation: Operation
    reference: str
    result: Literal["done", "declined"]
    amount: int
    currency: str
    detail: Annotated[str, msgspec.Meta(max_length=1000)] = ""


_read_answer = msgspec.json.Decoder(_Answer).decode


class _Unusable(Exception):
    """No answer that could be believed."""


class ProviderClient:
    """Our side of the conversation with the provider. Belongs to one event loop."""

    def __init__(self, upstream: Upstream, card: Card, patience: float) -> None:
        self._upstream = upstream
        self._card = card
        self._patience = patience

    async def perform(self, effect: Effect, ask_first: bool) -> tuple[Result, str]:
        """The outcome of one attempt, and a word about it. Raises nothing: what is not known is `unknown`."""
        try:
            with deadline.limit(self._patience):
                answer = await self._known(effect) if ask_first else None
                if answer is None:
                    answer = await self._act(effect)
        except Late:
            return "unknown", "no answer in time"
        except Exception as error:  # whatever a hostile answer broke: the outcome is unknown, and that is an outcome
            return "unknown", f"no usable answer: {type(error).__name__} {error}"[:LONGEST_DETAIL]
        return answer.result, "".join(filter(str.isprintable, answer.detail[:LONGEST_DETAIL]))

    async def close(self) -> None:
        await self._upstream.close()

    async def _known(self, effect: Effect) -> _Answer | None:
        answer = await self._request("GET", f"/v1/operations/{quote(effect.id, safe='')}", effect)
        return None if answer.status == 404 else _believed(answer, effect)

    async def _act(self, effect: Effect) -> _Answer:
        call: Call = effect.intent
        if call.operation == "authorize":
            path = "/v1/authorizations"
            wanted = {"reference": call.order_id, "amount": call.amount.amount, "currency": call.amount.currency}
            body = encode({**wanted, "token": self._card(call)})
        else:
            path, body = f"/v1/authorizations/{quote(call.order_id, safe='')}/{call.operation}", b""
        return _believed(await self._request("POST", path, effect, body), effect)

    async def _request(self, method: str, path: str, effect: Effect, body: bytes = b"") -> Answer:
        headers: dict[str, str] = {"Content-Type": "application/json"} if body else {}
        if method == "POST":
            headers["Idempotency-Key"] = effect.id
        return await self._upstream.request(method, path, headers, body)


def _believed(answer: Answer, effect: Effect) -> _Answer:
    """What it says, if that can be, and about this very operation."""
    if answer.status != 200:
        raise _Unusable(f"status {answer.status}")
    said, call = _read_answer(answer.body), effect.intent
    if (said.key, said.operation, said.reference) != (effect.id, call.operation, call.order_id):
        raise _Unusable("it is about another operation")
    moves_money = said.result == "done" and call.operation != "void"
    if moves_money and (said.amount, said.currency) != (call.amount.amount, call.amount.currency):
        raise _Unusable("it is about another amount")
    return said


class ProviderWorker:
    """Performs the effects that the processor offers, at most `concurrency` at a time.

    `offer` may be called from any thread, everything else belongs to one event loop.
    """

    def __init__(
        self,
        provider: str | Discovery,
        report: Report,
        card: Card,
        concurrency: int = CONCURRENCY,
        patience: float = PATIENCE,
        policy: Policy = POLICY,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
        credentials: Credentials | None = None,
    ) -> None:
        self._provider = provider
        self._credentials = credentials
        self._policy = policy
        self._middlewares = middlewares
        self._report = report
        self._card = card
        self._concurrency = concurrency
        self._patience = patience
        self._offered: deque[tuple[Effect, bool]] = deque()
        self._in_work: dict[tuple[str, int], asyncio.Task[None]] = {}  # by operation and attempt
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: ProviderClient | None = None

    def offer(self, key: str, effect: Effect, restored: bool) -> None:
        """Have the effect performed soon. The same attempt offered again while it is in work is in work already."""
        self._offered.append((effect, restored))
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._take)

    async def start(self) -> None:
        upstream = Upstream(PROVIDER, self._provider, self._policy, self._middlewares, self._credentials)
        self._client = ProviderClient(upstream, self._card, self._patience)
        self._loop = asyncio.get_running_loop()
        self._take()

    async def drain(self, within: float = PATIENCE + 1.0) -> None:
        """Finish what is in work and begin nothing new: the next owner of the state is offered the rest."""
        client, self._client = self._client, None
        if client is None:
            return
        if tasks := list(self._in_work.values()):
            _, late = await asyncio.wait(tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await client.close()

    def _take(self) -> None:
        while self._client and self._offered and len(self._in_work) < self._concurrency:
            effect, restored = self._offered.popleft()
            name = (effect.id, effect.intent.attempt)
            if name not in self._in_work:
                task = asyncio.create_task(self._attempt(self._client, effect, restored))
                self._in_work[name] = task
                task.add_done_callback(partial(self._done, name))

    def _done(self, name: tuple[str, int], task: asyncio.Task[None]) -> None:
        if self._in_work.get(name) is task:
            del self._in_work[name]
        self._take()

    async def _attempt(self, client: ProviderClient, effect: Effect, restored: bool) -> None:
        call: Call = effect.intent
        tracecontext.enter(effect.traceparent, call.order_id)
        told = {"orderly.attempt": call.attempt, "orderly.restored": restored}
        with traces.span(f"effect {call.operation}", "internal", told) as span:
            result, detail = await client.perform(effect, call.ask_first or restored)
            span.set({"orderly.outcome": result})
            if result == "unknown":
                span.fail(result, detail)
        _log.info("effect", operation=call.operation, attempt=call.attempt, result=result, detail=detail)
        del self._in_work[effect.id, call.attempt]  # who is offered it from now on has not heard of this answer
        answered = ProviderAnswered(call.order_id, call.operation, call.attempt, result, detail)
        self._report(effect, answered, span.traceparent)
