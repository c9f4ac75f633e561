"""One order's life as an honest, stubborn client lives it: written down before it is sent, asked again until answered.

The journal is what `orderly verify` judges L1, L2 and L9 by. An answer that the contract does not allow, whatever was broken
at the time, is a surprise, and no surprise is forgiven.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from common.clock import system_clock
from laws.journal import Journal, JournalEntry
from orderly.journaled import fingerprint
from tests.faults.recovery import Told
from tests.faults.wishes import Wish

NOT_NOW = (429, 502, 503, 504)  # ask again
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 4.0


class Surprise(Exception):
    """An answer that is none of those that the contract allows."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.status} {self.kind}: {self.body.get('detail', '')}"

    @property
    def kind(self) -> str:
        """Of a problem (RFC 9457): the end of its type."""
        return str(self.body.get("type", "")).rpartition("/")[2]

    @property
    def retry_after(self) -> float:
        return float(self.headers.get("Retry-After", 0))


@dataclass
class Customers:
    """All clients of one run: their connection, their tokens, their journal, and what surprised them."""

    session: aiohttp.ClientSession
    tokens: Mapping[str, str]
    journal: Journal
    surprises: list[str] = field(default_factory=list)

    async def live(self, wish: Wish, told: Told) -> None:
        """From the first request until a final status has been seen."""
        try:
            await _Life(self, wish, told).run()
        except Surprise as surprise:
            self.surprises.append(str(surprise))


@dataclass
class _Life:
    customers: Customers
    wish: Wish
    told: Told

    async def run(self) -> None:
        lives = [self._order()]
        lives += [self._look()] if self.wish.looks else []
        lives += [self._twin()] if self.wish.twin else []
        await asyncio.gather(*lives)

    async def _look(self) -> None:
        await self._ask("GET", f"/v1/products/{self.wish.lines[0][0]}", good=(200,))
        self.told.looked = time.monotonic()

    async def _twin(self) -> None:
        await self._place(f"{self.wish.key}-twin")

    async def _order(self) -> None:
        session = self.wish.key
        order = await self._place(session)
        self.told.accepted = time.monotonic()
        order_id, token = str(order.body["order_id"]), order.headers.get("Consistency-Token", "")
        if self.wish.cancel_after is not None:
            await asyncio.sleep(self.wish.cancel_after)
            await self._ask("POST", f"/v1/orders/{order_id}/cancellation", token=token, good=(202, 409))
        shown, pause = await self._read(session, order_id, token), FIRST_PAUSE
        while shown["status"] == "pending":
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            shown = await self._read(session, order_id)
        self.told.completed = time.monotonic()

    async def _place(self, session: str) -> Answer:
        wish = self.wish
        named = {"idempotency_key": wish.key, "fingerprint": fingerprint(wish.body)}
        self._note(session, kind="intent", **named)
        headers = {"Idempotency-Key": wish.key} | ({"Prefer": f"wait={wish.wait}"} if wish.wait else {})
        answer = await self._ask("POST", "/v1/orders", wish.body, headers, good=(200, 202))
        self._note(
            session,
            kind="ack",
            code=answer.status,
            order_id=answer.body["order_id"],
            version=answer.body["version"],
            status=answer.body["status"],
            token=answer.headers.get("Consistency-Token", ""),
            **named,
        )
        return answer

    async def _read(self, session: str, order_id: str, token: str = "") -> dict[str, Any]:
        shown = (await self._ask("GET", f"/v1/orders/{order_id}", token=token, good=(200,))).body
        self._note(
            session, kind="read", order_id=order_id, version=shown["version"], status=shown["status"], token=token
        )
        return shown

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: str = "",
        good: tuple[int, ...],
    ) -> Answer:
        """The first answer that is one."""
        sent = {"Authorization": f"Bearer {self.customers.tokens[self.wish.customer]}", **(headers or {})}
        if token:
            sent["Consistency-Token"] = token
        pause = FIRST_PAUSE
        while True:
            answer = await self._once(method, path, body, sent)
            if answer is not None and answer.status in good:
                return answer
            if answer is not None and answer.status not in NOT_NOW:
                raise Surprise(f"{method} {path}: {answer.status} {answer.body}")
            self.told.errors.append((time.monotonic(), str(answer or "no answer")))
            await asyncio.sleep(max(pause, answer.retry_after if answer else 0.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer | None:
        """None: nobody answered, or not to the end."""
        try:
            async with self.customers.session.request(method, path, json=body, headers=headers) as answer:
                return Answer(answer.status, await answer.json(content_type=None), answer.headers)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    def _note(self, session: str, **entry: Any) -> None:
        client = f"{self.wish.customer}/{session}"
        self.customers.journal.write(JournalEntry(at=system_clock(), client=client, **entry))
