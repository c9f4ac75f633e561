"""What each consistency level of a read costs: the table of docs/patterns.md.

    .venv/bin/python bench/consistency.py [--engine embedded|kafka] [--reads 200]

A platform of its own in a temporary folder. While others place orders at a constant rate, or nobody does, a customer places
an order and, as soon as it is acknowledged, asks for the newest of its orders, at each level in turn. `seen`: how often that
is the one that was just placed.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from typing import Any

import aiohttp

RATE = 20.0  # orders a second


def orderly(data: str, *words: str) -> str:
    environ = {**os.environ, "ORDERLY_DATA": data, "ORDERLY_RATE_LIMIT": "off"}
    done = subprocess.run([sys.executable, "-m", "orderly", *words], env=environ, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


class Shop:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def order(self) -> tuple[str, str]:
        """Its id and the token of its acceptance."""
        body = {"lines": [{"sku": "tea", "quantity": 1}], "payment_token": "tok_ok"}
        async with self._session.post("/v1/orders", json=body, headers={"Idempotency-Key": uuid.uuid4().hex}) as answer:
            return (await answer.json())["order_id"], answer.headers["Consistency-Token"]

    async def read(self, headers: dict[str, str]) -> tuple[float, str]:
        """Milliseconds, and the newest order."""
        began = time.perf_counter()
        async with self._session.get("/v1/orders?limit=1", headers=headers) as answer:
            items = (await answer.json())["items"]
        return (time.perf_counter() - began) * 1000, items[0]["order_id"] if items else ""

    async def write_and_read(self, level: str) -> tuple[float, bool]:
        order_id, token = await self.order()
        took, newest = await self.read({"Consistency-Level": level, "Consistency-Token": token})
        return took, newest == order_id

    async def load(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self.order())
                await asyncio.sleep(1 / RATE)


async def measure(url: str, reads: int, alice: str, bob: str, operator: str) -> None:
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {operator}"}) as session:
        product: dict[str, Any] = {"name": "tea", "price": {"amount": 199, "currency": "EUR"}}
        await session.put("/v1/products/tea", json=product)
        receipt = {"Idempotency-Key": uuid.uuid4().hex}
        await session.post("/v1/products/tea/receipts", json={"quantity": 1_000_000}, headers=receipt)
    async with (
        aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {alice}"}) as mine,
        aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {bob}"}) as others,
    ):
        shop, crowd = Shop(mine), Shop(others)
        print("| load beside it | level | p50 ms | p99 ms | seen |\n|---|---|---|---|---|")
        for loaded in (False, True):
            loading = asyncio.create_task(crowd.load()) if loaded else None
            found: dict[str, list[tuple[float, bool]]] = {"eventual": [], "session": [], "strong": []}
            for _ in range(reads):
                for level, rows in found.items():
                    rows.append(await shop.write_and_read(level))
            for level, rows in found.items():
                took, seen = sorted(it for it, _ in rows), 100 * sum(it for _, it in rows) / reads
                name = f"{RATE:g} orders/s" if loaded else "none"
                print(f"| {name} | {level} | {took[reads // 2]:.1f} | {took[int(reads * 0.99)]:.1f} | {seen:.0f} % |")
            if loading is not None:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)


def main(engine: str, reads: int) -> None:
    with tempfile.TemporaryDirectory(prefix="orderly-consistency-") as data:
        try:
            orderly(data, "up", "--detach", "--engine", engine)
            url = json.loads(orderly(data, "status", "--json"))["base_url"]
            tokens = [orderly(data, "token", name).strip() for name in ("alice", "bob", "operator")]
            asyncio.run(measure(url, reads, *tokens))
        finally:
            orderly(data, "down")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The price of a read's consistency level.")
    parser.add_argument("--engine", default="embedded")
    parser.add_argument("--reads", type=int, default=200)
    chosen = parser.parse_args()
    main(chosen.engine, chosen.reads)
