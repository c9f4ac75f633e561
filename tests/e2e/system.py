"""The running platform as a test sees it: started by the command that users type, reached by the public API alone."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from common.clock import system_clock
from laws.journal import Journal, JournalEntry, Kind

Json = dict[str, Any]

PRICE = {"amount": 1999, "currency": "EUR"}


def orderly(
    *arguments: str, data: Path, check: bool = True, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line, as a user would run it."""
    environ = {**os.environ, "ORDERLY_DATA": str(data), "ORDERLY_RATE_LIMIT": "off", "ORDERLY_LEASE_MS": "1500"}
    environ |= settings or {}
    command = [sys.executable, "-m", "orderly", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=170, check=False)
    if check and done.returncode:
        raise AssertionError(
            f"orderly {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    return done


@dataclass
class System:
    data: Path
    engine: str = "embedded"
    more: Sequence[str] = ()  # words for `orderly up`
    base_url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    stocked: set[str] = field(default_factory=set)
    settings: Mapping[str, str] = field(default_factory=dict)  # ORDERLY_…, for the services

    def up(self) -> None:
        orderly("up", "--detach", "--engine", self.engine, *self.more, data=self.data, settings=self.settings)
        self.base_url = self.status()["base_url"]

    def down(self) -> None:
        orderly("down", data=self.data)

    def status(self) -> Json:
        found: Json = json.loads(orderly("status", "--json", data=self.data, check=False).stdout)
        return found

    def verify(self) -> tuple[int, Json]:
        done = orderly("verify", "--json", "--patience", "60", data=self.data, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def token(self, name: str) -> str:
        if name not in self.tokens:
            self.tokens[name] = orderly("token", name, data=self.data).stdout.strip()
        return self.tokens[name]

    @asynccontextmanager
    async def client(self, name: str) -> AsyncIterator["Client"]:
        headers = {"Authorization": f"Bearer {self.token(name)}"}
        limits = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(self.base_url, headers=headers, connector=limits) as session:
            folder = self.data / "journal"
            folder.mkdir(exist_ok=True)
            with Journal(folder / f"{name}-{uuid.uuid4().hex}.jsonl") as journal:
                yield Client(name, session, journal)

    async def once(self, sku: str, quantity: int) -> None:
        """Stock it if no test of this platform has."""
        if sku not in self.stocked:
            self.stocked.add(sku)
            await self.stock(sku, quantity)

    async def eventually_available(self, sku: str, quantity: int, within: float = 30.0) -> None:
        """Raises TimeoutError."""
        async with self.client("operator") as operator, asyncio.timeout(within):
            while True:
                _, product, _ = await operator.call("GET", f"/v1/products/{sku}")
                if product["available"] == quantity:
                    return
                await asyncio.sleep(0.1)

    async def stock(self, sku: str, quantity: int, price: Mapping[str, Any] = PRICE) -> None:
        async with self.client("operator") as operator:
            status, _, _ = await operator.call("PUT", f"/v1/products/{sku}", {"name": sku, "price": dict(price)})
            assert status == 200
            if quantity:
                key = {"Idempotency-Key": uuid.uuid4().hex}
                status, _, _ = await operator.call("POST", f"/v1/products/{sku}/receipts", {"quantity": quantity}, key)
                assert status == 200


@dataclass
class Client:
    """One customer. `place` asks until it is answered, as a good client does, under one Idempotency-Key."""

    name: str
    session: aiohttp.ClientSession
    journal: Journal

    async def call(
        self, method: str, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Json, Mapping[str, str]]:
        async with self.session.request(method, path, json=body, headers=headers or {}) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def place(
        self,
        lines: Sequence[tuple[str, int]],
        token: str = "tok_ok",
        *,
        key: str = "",
        wait: int = 0,
        within: float = 60.0,
    ) -> Json:
        """The acknowledged order. Raises TimeoutError when nobody answers, AssertionError when it is refused."""
        key = key or uuid.uuid4().hex
        headers = {"Idempotency-Key": key} | ({"Prefer": f"wait={wait}"} if wait else {})
        body = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines], "payment_token": token}
        said = {"client": f"{self.name}/{key}", "idempotency_key": key, "fingerprint": json.dumps(body)}
        self.note("intent", **said)
        async with asyncio.timeout(within):
            while True:
                try:
                    status, answer, _ = await self.call("POST", "/v1/orders", body, headers)
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)
                    continue
                if status in (200, 202):
                    self.note("ack", **said, order_id=answer["order_id"], code=status)
                    return answer
                assert status in (429, 503, 504, 502), (status, answer)
                await asyncio.sleep(0.2)

    async def order(self, order_id: str) -> Json | None:
        """What is shown now; None when it cannot be asked."""
        try:
            status, answer, _ = await self.call("GET", f"/v1/orders/{order_id}")
        except aiohttp.ClientError:
            return None
        if status != 200:
            return None
        session = f"{self.name}/{order_id}"
        self.note("read", client=session, order_id=order_id, version=answer["version"], status=answer["status"])
        return answer

    async def final(self, order_id: str, within: float = 60.0) -> Json:
        """The order when its status is final. Raises TimeoutError with nothing to add: read its timeline."""
        async with asyncio.timeout(within):
            while True:
                found = await self.order(order_id)
                if found is not None and found["status"] != "pending":
                    return found
                await asyncio.sleep(0.1)

    async def story(self, order_id: str, until: str, within: float = 30.0) -> list[str]:
        """The types in the order's timeline, as soon as it has come to `until`."""
        async with asyncio.timeout(within):
            while True:
                status, timeline, _ = await self.call("GET", f"/v1/orders/{order_id}/timeline")
                told = [entry["type"] for entry in timeline["entries"]] if status == 200 else []
                if until in told:
                    return told
                await asyncio.sleep(0.02)

    def note(self, kind: Kind, **fields: Any) -> None:
        self.journal.write(JournalEntry(at=system_clock(), kind=kind, **fields))
