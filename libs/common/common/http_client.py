"""Asks another service: an answer within the deadline, or `Unavailable`. The one place where the guards are put together.

    deadline ▶ bulkhead ▶ circuit breaker ▶ retry ▶ hedge ▶ balancing ▶ one attempt at one endpoint

The order matters: the deadline bounds the wait for the bulkhead too; a refusal by the bulkhead says nothing about the upstream,
so the breaker does not count it; the breaker counts requests and not attempts, so retries neither trip it nor go around it.

A failed attempt is repeated where that cannot do anything twice: the connection was never made, the method is idempotent, or
the request carries an Idempotency-Key. It has failed when there is no answer, or, as long as there is another endpoint to ask,
when that is 502, 503 or 504. Redirects are answers like any other, and none is followed.
"""

import asyncio
import contextvars
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import aiohttp
import structlog

from common.balancing import STRATEGIES, Candidate
from common.balancing.balancer import STATES, Balancer
from common.discovery import Discovery
from common.discovery.urls import discovery
from common.errors import Late, Refused, Unavailable
from common.http_pool import Answer, Pool, Stream
from common.resilience import deadline, retry
from common.resilience.breaker import Breaker
from common.resilience.gate import Gate
from common.resilience.hedge import hedged
from common.resilience.policy import Policy
from common.security.credentials import Credentials
from common.telemetry import metrics
from common.telemetry.http_spans import traced_client
from common.telemetry.requests import exemplar

__all__ = ["Answer", "Stream", "Upstream"]

MOST_STREAMS = 128  # endless answers must leave room for the others

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_ASK_ANOTHER = frozenset({502, 503, 504})
_ILL = frozenset({500, 502, 504})  # 503 says when to come back: it is late or busy, and knows it
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_NO_LIMIT = 1_000_000_000

T = TypeVar("T", Answer, Stream)

_log = structlog.get_logger("upstream")


@dataclass(slots=True)
class _Call(Generic[T]):
    """A request on its way. `ends` on the event loop's clock; `waits`: seconds the callee was asked to take."""

    send: Callable[[str], Awaitable[T]]
    key: str
    ends: float
    waits: float = 0.0
    repeatable: bool = True
    hedge: float = 0.0
    traceparent: str = ""
    tried: list[Candidate] = field(default_factory=list)

    def patience(self, now: float) -> float:
        """When to give up an attempt that is not the last one: half of the time is for the others."""
        return now + self.waits + (self.ends - now - self.waits) / 2


class Upstream:
    """A service, by name, and where it is: a base URL, or a discovery. `middlewares` go around each attempt. With
    `credentials` it is mutual TLS, and nobody but that service is talked to. Belongs to one event loop."""

    def __init__(
        self,
        name: str,
        where: str | Discovery,
        policy: Policy | None = None,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
        credentials: Credentials | None = None,
    ) -> None:
        self.name = name
        self.policy = policy = policy or Policy()
        self._discovery = discovery(where, credentials) if isinstance(where, str) else where
        self._dice = random.Random()
        clock = time.monotonic
        self._balancer = Balancer(STRATEGIES[policy.balancing], policy.zone, policy.ejection, clock, self._dice)
        self._gate = Gate(name, policy.bulkhead or _NO_LIMIT, policy.bulkhead)
        self._waiting_gate = Gate(
            name, policy.bulkhead or _NO_LIMIT, policy.bulkhead
        )  # or they would keep the others out
        self._breaker = Breaker(name, policy.breaker, clock) if policy.breaker else None
        self._budget = retry.Budget(policy.retries, clock)
        around = (traced_client(name), *middlewares)
        self._pool = Pool(policy.largest, around, credentials.client(name) if credentials else None)
        self._found = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._tell()

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        waits: float = 0.0,
        repeatable: bool = False,
    ) -> Answer:
        """`path` is sent as it is, query included. `waits`: seconds that the callee is asked to take, on top of the deadline.
        `repeatable`: known to do nothing twice, whatever the method."""
        headers = headers or {}
        repeatable = repeatable or method in _IDEMPOTENT or "Idempotency-Key" in headers
        seconds = deadline.within(self.policy.deadline + waits)
        sent = {**headers, deadline.HEADER: deadline.header(seconds)}
        send = partial(self._pool.ask, method=method, path=path, headers=sent, body=body)
        hedge = self.policy.hedge if method == "GET" else 0.0
        ends = asyncio.get_running_loop().time() + seconds
        return await self._within(
            _Call(send, path.partition("?")[0], ends, waits, repeatable, hedge, headers.get("traceparent", "")), seconds
        )

    async def stream(self, path: str, headers: Mapping[str, str] | None = None) -> Stream:
        """GET an answer that may never end. The deadline is for its beginning."""
        if len(self._pool.streams) >= MOST_STREAMS:
            raise Refused(f"{self.name}: {MOST_STREAMS} streams are open; try again")
        seconds = deadline.within(self.policy.deadline)
        sent = {**(headers or {}), deadline.HEADER: deadline.header(seconds)}
        send = partial(self._pool.open, path=path, headers=sent)
        ends = asyncio.get_running_loop().time() + seconds
        return await self._within(_Call(send, path.partition("?")[0], ends), seconds)

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._pool.close()

    async def _within(self, call: _Call[T], seconds: float) -> T:
        self._budget.deposit()
        begun = time.monotonic()
        outcome = "failed"
        try:
            async with asyncio.timeout_at(call.ends):
                answer = await self._guarded(call)
            outcome = "answered"
            self._seconds.observe(time.monotonic() - begun, exemplar(call.traceparent))
            return answer
        except TimeoutError:
            outcome = "late"
            raise Late(f"{self.name}: no answer within {seconds:g} s; try again") from None
        except Refused:
            outcome = "refused"
            raise
        finally:
            self._outcomes[outcome].inc()

    async def _guarded(self, call: _Call[T]) -> T:
        if not self._found.is_set():
            await self._find()
        gate = self._waiting_gate if call.waits else self._gate
        await gate.enter()
        try:
            if self._breaker is None:
                return await self._attempts(call)
            ticket = self._breaker.admit()
            ok: bool | None = None
            try:
                answer = await self._attempts(call)
                ok = answer.status not in _ILL
                return answer
            except Unavailable:
                ok = False
                raise
            except asyncio.CancelledError:
                ok = _because_of_time(call)
                raise
            finally:
                self._breaker.record(ticket, ok)
        finally:
            gate.leave()

    async def _attempts(self, call: _Call[T]) -> T:
        for number in range(1, self.policy.attempts + 1):
            last = number == self.policy.attempts
            attempt = partial(self._attempt, call, last)
            try:
                answer = await (hedged(attempt, call.hedge, self._may_hedge) if call.hedge else attempt())
                another = len(call.tried) < len(self._balancer.candidates)
                if answer.status not in _ASK_ANOTHER or not another or last or not self._may_repeat(call, sent=True):
                    return answer
            except (aiohttp.ClientError, OSError) as error:
                if last or not self._may_repeat(call, sent=not isinstance(error, _NEVER_SENT)):
                    raise Unavailable(f"{self.name}: {type(error).__name__}; try again") from error
            if len(call.tried) >= len(self._balancer.candidates):
                await asyncio.sleep(retry.pause(number, self._dice))
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, call: _Call[T], last: bool) -> T:
        balancer = self._balancer
        candidate = balancer.pick(call.key, call.tried)
        call.tried.append(candidate)
        begun = balancer.begin(candidate)
        choice = call.repeatable and not last and len(balancer.candidates) > 1
        ok: bool | None = False
        try:
            if choice:
                async with asyncio.timeout_at(call.patience(asyncio.get_running_loop().time())):
                    answer = await call.send(candidate.endpoint.address)
            else:
                answer = await call.send(candidate.endpoint.address)
            ok = answer.status < 500
            return answer
        except asyncio.CancelledError:
            ok = _because_of_time(call)
            raise
        finally:
            balancer.end(candidate, begun, ok)

    def _may_repeat(self, call: _Call[T], sent: bool) -> bool:
        return (call.repeatable or not sent) and self._may_ask_again("retry")

    def _may_hedge(self) -> bool:
        return len(self._balancer.candidates) > 1 and self._may_ask_again("hedge")

    def _may_ask_again(self, kind: str) -> bool:
        within = self._budget.take()
        self._repeats[kind if within else "over_budget"].inc()
        return within

    async def _find(self) -> None:
        if self._following is None:
            own = contextvars.Context()  # it outlives the request that happens to be the first, and its deadline
            self._following = asyncio.create_task(self._follow(), context=own)
        await self._found.wait()

    async def _follow(self) -> None:
        async for endpoints in self._discovery.watch():
            self._balancer.update(endpoints)
            self._found.set()
            _log.info("endpoints", upstream=self.name, known=len(endpoints), ready=sum(it.ready for it in endpoints))

    def _tell(self) -> None:
        name, balancer, breaker = self.name, self._balancer, self._breaker
        gates = (self._gate, self._waiting_gate)
        outcomes, kinds = ("answered", "late", "failed", "refused"), ("retry", "hedge", "over_budget")
        self._outcomes = {it: metrics.UPSTREAM_REQUESTS.labels(name, it) for it in outcomes}
        self._repeats = {it: metrics.UPSTREAM_REPEATS.labels(name, it) for it in kinds}
        self._seconds = metrics.UPSTREAM_SECONDS.labels(name)
        metrics.UPSTREAM_IN_FLIGHT.labels(name).set_function(lambda: sum(gate.inside for gate in gates))
        metrics.UPSTREAM_WAITING.labels(name).set_function(lambda: sum(gate.waiting for gate in gates))
        metrics.UPSTREAM_LIMIT.labels(name).set(self.policy.bulkhead)
        metrics.UPSTREAM_BREAKER.labels(name).set_function(lambda: breaker.state if breaker else -1)
        for state in STATES:
            metrics.UPSTREAM_ENDPOINTS.labels(name, state).set_function(partial(balancer.count, state))


def _because_of_time(call: _Call[T]) -> bool | None:
    """Whether an interrupted call has failed (False), or its caller has merely left (None)."""
    return False if asyncio.get_running_loop().time() >= call.ends else None
