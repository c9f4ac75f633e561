"""A short load through the public API: what an order costs, and how long it takes.

Two phases. *Constant arrivals* (open loop): orders come when they are due, whether the last ones were answered or not, and
latency counts from when an order was due; a slow platform cannot hide by slowing its clients down. *Saturation* (closed
loop): so many orders in flight at all times; what comes out is the throughput.

Every second order waits for its outcome in the request (completion), the others only for the acknowledgement (acceptance).
All orders are journaled, so `orderly verify` may judge them afterwards.
"""

import asyncio
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psutil

from common.clock import system_clock
from laws.journal import Journal, JournalEntry
from orderly.api import Api
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.journaled import fingerprint
from orderly.processes import Identity
from orderly.runfile import Run

PRODUCTS = 10
ENOUGH = 1_000_000
DELIVERY = 10_000_000
WAIT = 30  # seconds for an outcome
WARM_UP = 20  # orders
CUSTOMERS = 10


@dataclass
class Phase:
    """What was observed. Latencies in seconds."""

    orders: int = 0
    seconds: float = 0.0
    cpu: Counter[str] = field(default_factory=Counter)  # seconds, by process
    accepted: list[float] = field(default_factory=list)
    completed: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)

    @property
    def final(self) -> int:
        return self.ends["confirmed"] + self.ends["cancelled"]

    def report(self) -> dict[str, Any]:
        return {
            "orders": self.orders,
            "seconds": round(self.seconds, 3),
            "orders_per_second": round(self.final / self.seconds, 1) if self.seconds else 0.0,
            "acceptance_ms": percentiles(self.accepted),
            "completion_ms": percentiles(self.completed),
            "cpu_ms_per_order": self._cpu_ms(self.cpu.total()),
            "cpu_ms_per_order_by_process": {name: self._cpu_ms(seconds) for name, seconds in self.cpu.items()},
            "outcomes": dict(self.ends),
        }

    def _cpu_ms(self, seconds: float) -> float | None:
        return round(seconds / self.orders * 1000, 2) if self.orders and self.cpu else None


def percentiles(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    ranked = sorted(seconds)
    last = len(ranked) - 1
    found = {"p50": ranked[round(last * 0.5)], "p99": ranked[round(last * 0.99)], "max": ranked[last]}
    return {name: round(value * 1000, 1) for name, value in found.items()}


def processes_of(started: Run) -> dict[str, Identity]:
    return {it.name: it.process for it in started.services if it.process} | {"supervisor": started.supervisor}


def run(
    folder: Folder, base_url: str, processes: Mapping[str, Identity], *, rate: float, duration: float, in_flight: int
) -> dict[str, Any]:
    """`processes`: those whose CPU and memory are counted; none of a platform elsewhere. Raises Failure when the load is
    refused or nobody answers."""
    _stock_up(Api(base_url, "operator"))
    tokens = {name: Api(base_url, name).token() for name in (f"customer-bench-{n}" for n in range(CUSTOMERS))}
    folder.make()
    with Journal(folder.journals / "bench.jsonl") as journal:
        load = Load(base_url, processes, tokens, journal)
        constant, saturated = asyncio.run(load.run(rate, duration, in_flight))
    memory = {name: process.memory() for name, process in processes.items()}
    return {
        "constant": {"rate": rate, **constant.report()},
        "saturation": {"in_flight": in_flight, **saturated.report()},
        "rss_bytes": memory,
    }


class Load:
    def __init__(
        self, base_url: str, processes: Mapping[str, Identity], tokens: Mapping[str, str], journal: Journal
    ) -> None:
        self._base_url = base_url
        self._processes = processes
        self._tokens = list(tokens.items())
        self._journal = journal
        self._placed = 0

    async def run(self, rate: float, duration: float, in_flight: int) -> tuple[Phase, Phase]:
        connections = aiohttp.TCPConnector(limit=0)
        patience = aiohttp.ClientTimeout(total=WAIT + 15)
        async with aiohttp.ClientSession(self._base_url, connector=connections, timeout=patience) as session:
            self._session = session
            await asyncio.gather(*(self._order(Phase(), time.monotonic(), wait=True) for _ in range(WARM_UP)))
            return await self._constant(rate, duration), await self._saturated(in_flight, duration)

    async def _constant(self, rate: float, duration: float) -> Phase:
        phase = Phase()
        began, cpu = time.monotonic(), self._cpu()
        due = [began + number / rate for number in range(int(rate * duration))]
        flying = []
        for number, at in enumerate(due):
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            flying.append(asyncio.create_task(self._order(phase, at, wait=number % 2 == 0)))
        await asyncio.gather(*flying)
        phase.seconds, phase.cpu = time.monotonic() - began, self._cpu() - cpu
        return phase

    async def _saturated(self, in_flight: int, duration: float) -> Phase:
        phase = Phase()
        if not in_flight:
            return phase
        began, cpu = time.monotonic(), self._cpu()

        async def worker() -> None:
            while time.monotonic() < began + duration:
                await self._order(phase, time.monotonic(), wait=True)

        await asyncio.gather(*(worker() for _ in range(in_flight)))
        phase.seconds, phase.cpu = time.monotonic() - began, self._cpu() - cpu
        return phase

    async def _order(self, phase: Phase, due: float, *, wait: bool) -> None:
        self._placed += 1
        customer, token = self._tokens[self._placed % len(self._tokens)]
        body = {
            "lines": [{"sku": f"bench-{self._placed % PRODUCTS}", "quantity": 1}],
            "payment_token": "tok_ok",
        }
        key = str(uuid.uuid4())
        told = {"client": f"{customer}/{key[:8]}", "idempotency_key": key, "fingerprint": fingerprint(body)}
        headers = {"authorization": f"Bearer {token}", "idempotency-key": key}
        if wait:
            headers["prefer"] = f"wait={WAIT}"
        phase.orders += 1
        self._note(kind="intent", **told)
        try:
            async with self._session.post("/v1/orders", json=body, headers=headers) as response:
                answer = await response.json(content_type=None) if response.status < 300 else {}
        except (aiohttp.ClientError, TimeoutError):
            self._note(kind="fail", **told)
            phase.ends["no answer"] += 1
            return
        if response.status >= 300:
            self._note(kind="fail", code=response.status, **told)
            phase.ends[f"refused {response.status}"] += 1
            return
        self._note(kind="ack", code=response.status, order_id=answer["order_id"], **told)
        (phase.completed if wait else phase.accepted).append(time.monotonic() - due)
        phase.ends[await self._end(answer, headers)] += 1

    async def _end(self, order: dict[str, Any], headers: Mapping[str, str]) -> str:
        """The final status, asked for until it is there: quickly enough to count, rarely enough to cost little."""
        deadline = time.monotonic() + WAIT
        while order["status"] == "pending" and time.monotonic() < deadline:
            await asyncio.sleep(0.25)
            asking = {"authorization": headers["authorization"]}
            async with self._session.get(f"/v1/orders/{order['order_id']}", headers=asking) as response:
                if response.status == 200:
                    order = await response.json(content_type=None)
        return str(order["status"])

    def _note(self, **entry: Any) -> None:
        self._journal.write(JournalEntry(at=system_clock(), **entry))

    def _cpu(self) -> Counter[str]:
        """Seconds of each process so far."""
        try:
            return Counter(
                {name: sum(found.cpu_times()[:2]) for name, it in self._processes.items() if (found := it.process())}
            )
        except psutil.Error:
            raise Failure(
                "a service died while it was measured", "look at: orderly status; then measure again"
            ) from None


def _stock_up(operator: Api) -> None:
    known = {it["sku"]: it["available"] for it in operator.pages("/v1/products", limit=10_000)}
    for number in range(PRODUCTS):
        sku = f"bench-{number}"
        if sku not in known:
            price = {"amount": 1999, "currency": "EUR"}
            operator.send("PUT", f"/v1/products/{sku}", {"name": f"Bench {number}", "price": price})
        if known.get(sku, 0) < ENOUGH:
            path = f"/v1/products/{sku}/receipts"
            operator.send("POST", path, {"quantity": DELIVERY}, key=secrets.token_hex(8))
