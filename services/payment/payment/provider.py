"""Calls the payment provider, and reports what is known afterwards. No call is made twice for one attempt.

    offer ─▶ [ask by key, if it may have been tried before] ─▶ call with that key ─▶ report done, declined or unknown

An attempt ends with one report; a report that the log does not take is repeated until it does. What is offered and not
reported when the process dies is offered again when its state is restored. What the provider says is not trusted: too late,
too long, of the wrong type or about something else is `unknown`, and the provider is asked again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from yarl import URL

from common.codec import encode
from common.contracts.payment import Operation, ProviderAnswered, Result
from common.decider import Effect
from payment.domain import Call

PATIENCE = 3.0  # seconds for one attempt, the question before it included
CONCURRENCY = 64
LARGEST_ANSWER = 16 * 1024
LONGEST_DETAIL = 200
LONGEST_PAUSE = 5.0

Report = Callable[[str, ProviderAnswered, str], Awaitable[Any]]  # aggregate id, the answer, traceparent

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
    """One pool of connections to the provider. Belongs to one event loop."""

    def __init__(self, url: str, connections: int, patience: float) -> None:
        self._url = url.rstrip("/")
        self._patience = patience
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=30.0),
            timeout=aiohttp.ClientTimeout(total=None),  # the caller's limit is for the whole attempt
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            auto_decompress=False,
        )

    async def perform(self, effect: Effect, ask_first: bool) -> tuple[Result, str]:
        """The outcome of one attempt, and a word about it. Raises nothing: what is not known is `unknown`."""
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._known(effect) if ask_first else None
                if answer is None:
                    answer = await self._act(effect)
        except TimeoutError:
            return "unknown", "no answer in time"
        except Exception as error:  # whatever a hostile answer broke: the outcome is unknown, and that is an outcome
            return "unknown", f"no usable answer: {type(error).__name__} {error}"[:LONGEST_DETAIL]
        return answer.result, "".join(filter(str.isprintable, answer.detail[:LONGEST_DETAIL]))

    async def close(self) -> None:
        await self._session.close()

    async def _known(self, effect: Effect) -> _Answer | None:
        async with self._request("GET", f"/v1/operations/{quote(effect.id, safe='')}", effect) as response:
            return None if response.status == 404 else await _believed(response, effect)

    async def _act(self, effect: Effect) -> _Answer:
        call: Call = effect.intent
        if call.operation == "authorize":
            path = "/v1/authorizations"
            wanted = {"reference": call.order_id, "amount": call.amount.amount, "currency": call.amount.currency}
            body = encode({**wanted, "token": call.token})
        else:
            path, body = f"/v1/authorizations/{quote(call.order_id, safe='')}/{call.operation}", b""
        async with self._request("POST", path, effect, body) as response:
            return await _believed(response, effect)

    def _request(
        self, method: str, path: str, effect: Effect, body: bytes | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers: dict[str, str] = {"Content-Type": "application/json"} if body else {}
        if method == "POST":
            headers["Idempotency-Key"] = effect.id
        if effect.traceparent:
            headers["traceparent"] = effect.traceparent
        url = URL(self._url + path, encoded=True)
        return self._session.request(method, url, data=body, headers=headers, allow_redirects=False)


async def _believed(response: aiohttp.ClientResponse, effect: Effect) -> _Answer:
    """The answer, if it is one, and about this very operation."""
    if response.status != 200:
        raise _Unusable(f"status {response.status}")
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise _Unusable(f"longer than {LARGEST_ANSWER} bytes")
    answer, call = _read_answer(body), effect.intent
    if (answer.key, answer.operation, answer.reference) != (effect.id, call.operation, call.order_id):
        raise _Unusable("it is about another operation")
    moves_money = answer.result == "done" and call.operation != "void"
    if moves_money and (answer.amount, answer.currency) != (call.amount.amount, call.amount.currency):
        raise _Unusable("it is about another amount")
    return answer


class ProviderWorker:
    """Performs the effects that the processor offers, at most `concurrency` at a time.

    `offer` may be called from any thread, everything else belongs to one event loop.
    """

    def __init__(self, url: str, report: Report, concurrency: int = CONCURRENCY, patience: float = PATIENCE) -> None:
        self._url = url
        self._report = report
        self._concurrency = concurrency
        self._patience = patience
        self._offered: deque[tuple[str, Effect, bool]] = deque()
        self._in_work: dict[tuple[str, int], asyncio.Task[None]] = {}  # by operation and attempt
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: ProviderClient | None = None

    def offer(self, key: str, effect: Effect, restored: bool) -> None:
        """Have the effect performed soon. The same attempt offered again while it is in work is in work already."""
        self._offered.append((key, effect, restored))
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._take)

    async def start(self) -> None:
        self._client = ProviderClient(self._url, self._concurrency, self._patience)
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
            key, effect, restored = self._offered.popleft()
            name = (effect.id, effect.intent.attempt)
            if name not in self._in_work:
                task = asyncio.create_task(self._attempt(self._client, key, effect, restored))
                self._in_work[name] = task
                task.add_done_callback(partial(self._done, name))

    def _done(self, name: tuple[str, int], _: asyncio.Task[None]) -> None:
        del self._in_work[name]
        self._take()

    async def _attempt(self, client: ProviderClient, key: str, effect: Effect, restored: bool) -> None:
        call: Call = effect.intent
        result, detail = await client.perform(effect, call.ask_first or restored)
        answered = ProviderAnswered(call.order_id, call.operation, call.attempt, result, detail)
        pause = 0.05
        while True:
            try:
                await self._report(key, answered, effect.traceparent)
                return
            except Exception as error:  # the answer must not be dropped, whatever is wrong
                _log.warning("cannot report yet", order=key, operation=call.operation, error=repr(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
