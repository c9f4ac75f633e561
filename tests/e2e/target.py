"""What a test needs of a running platform, wherever it runs: its public API, its operator's command line, each process by name.

`System` is one on this machine, `Installation` one on a Kubernetes cluster. ORDERLY_TARGET names the only one to be tested.
"""

import asyncio
import http.client
import json
import math
import os
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from common.clock import system_clock
from laws.journal import Journal, JournalEntry, Kind
from orderly.health import UNREACHABLE

Json = dict[str, Any]

CLUSTER = "cluster"
TARGET = os.environ.get("ORDERLY_TARGET")
PRICE = {"amount": 1999, "currency": "EUR"}
NOT_NOW = (429, 502, 503, 504)  # ask again
FRESH = 300.0  # seconds; a token lives for a quarter of an hour


@dataclass
class Target(ABC):
    """`data`: a folder of ours, with the journals of its clients. `more`: words for `orderly up`; `scale`: how many processes,
    by service or by `service.role`."""

    data: Path
    more: Sequence[str] = ()
    scale: Mapping[str, int] = field(default_factory=dict)
    base_url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)  # time.monotonic, for each of them
    stocked: set[str] = field(default_factory=set)

    @abstractmethod
    def verify(self) -> tuple[int, Json]:
        """Exit code and report: the laws, on all that was written down, our journals included."""

    def judge(self) -> None:
        """Raises AssertionError, with the report, when a law does not hold."""
        code, report = self.verify()
        assert code == 0, json.dumps(report, indent=1)

    @abstractmethod
    def new_token(self, name: str) -> str: ...

    @abstractmethod
    def processes(self, service: str) -> Sequence[str]:
        """The names of those that run now, of a service or of a `service.role`."""

    @abstractmethod
    def kill(self, process: str) -> None:
        """As `kill -9` does. Somebody starts another one."""

    @abstractmethod
    def end(self, process: str) -> None:
        """Tell it to drain. Somebody starts another one."""

    @abstractmethod
    def asked(self, process: str, path: str, accept: str = "*/*") -> tuple[int, str]:
        """What it answers on its plain port; status 0 where it does not."""

    @abstractmethod
    def reach(self, process: str) -> AbstractContextManager[int]:
        """A port of 127.0.0.1 that leads to its API."""

    @abstractmethod
    def log(self, service: str) -> str:
        """What its processes have logged, one JSON object a line."""

    @abstractmethod
    def holder(self, name: str) -> Path:
        """A folder with tls.crt, tls.key and ca.crt: the certificate that speaks for `name`."""

    @abstractmethod
    def rebuild(self, service: str) -> None:
        """Fold its read model from the log again, and put it in the place of the live one."""

    @abstractmethod
    def rotate(self) -> None:
        """Have all certificates made anew, and return before the services have seen them."""

    @abstractmethod
    def without_broker(self) -> AbstractContextManager[None] | None:
        """Nobody reaches the log meanwhile; None where it is no server's."""

    @abstractmethod
    def fault(self, switch: str, value: str | None) -> None:
        """Set it, or clear it."""

    def token(self, name: str) -> str:
        """Tests may share a platform for longer than a token lives."""
        if time.monotonic() - self.asked_at.get(name, -math.inf) > FRESH:
            self.asked_at[name] = time.monotonic()
            self.tokens[name] = self.new_token(name)
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
            await self.stock(sku, quantity)
            self.stocked.add(sku)

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
            product = {"name": sku, "price": dict(price)}
            while (await operator.insist("PUT", f"/v1/products/{sku}", product))[0] == 202:
                pass  # the catalog is late, and does not show it yet
            if quantity:
                key = {"Idempotency-Key": uuid.uuid4().hex}
                await operator.insist("POST", f"/v1/products/{sku}/receipts", {"quantity": quantity}, key)


def answer_on(port: int, path: str, accept: str) -> tuple[int, str]:
    """Of a plain port of 127.0.0.1; status 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection), suppress(*UNREACHABLE):
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    return 0, ""


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

    async def insist(
        self, method: str, path: str, body: Json, headers: Mapping[str, str] | None = None, within: float = 60.0
    ) -> tuple[int, Json]:
        """Status and answer when it is done. Raises TimeoutError when nobody answers, AssertionError when it is refused."""
        async with asyncio.timeout(within):
            while True:
                with suppress(aiohttp.ClientError):
                    status, answer, _ = await self.call(method, path, body, headers)
                    if status in (200, 202):
                        return status, answer
                    assert status in NOT_NOW, (status, answer)
                await asyncio.sleep(0.2)

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
        status, answer = await self.insist("POST", "/v1/orders", body, headers, within)
        self.note("ack", **said, order_id=answer["order_id"], code=status)
        return answer

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
