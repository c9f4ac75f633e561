"""Canaries (a name, an e-mail, an address, a card token, access tokens) go through a whole run and are looked for everywhere; a
customer has them erased."""

import asyncio
import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from system import System, orderly
from target import Client

from orderly import keeping, records
from orderly.folder import Folder

pytestmark = [pytest.mark.process, pytest.mark.local, pytest.mark.timeout(180)]

CARD = "tok_canary_4f1d"  # no such card: the provider declines it
DELIVERY = {"name": "Canary Lovelace-77", "email": "canary.77@example.org", "address": "77 Canary Row, Monterey"}
CUSTOMER = "customer-canary"


async def place(client: Client, card: str, wait: int = 20) -> tuple[str, str]:
    """An order with all that is personal; its id, and its Idempotency-Key."""
    body = {"lines": [{"sku": "canary", "quantity": 1}], "payment_token": card, "delivery": DELIVERY}
    headers = {"Idempotency-Key": uuid.uuid4().hex, "Prefer": f"wait={wait}"}
    status, order, _ = await client.call("POST", "/v1/orders", body, headers)
    assert status in (200, 202), order
    await client.final(order["order_id"])
    return order["order_id"], headers["Idempotency-Key"]


async def test_what_is_personal_is_found_nowhere_but_with_its_customer(system: System) -> None:
    await system.stock("canary", 100)
    async with system.client(CUSTOMER) as customer:
        declined, _ = await place(customer, CARD)
        good, _ = await place(customer, "tok_ok")
        assert (await customer.order(declined) or {})["status"] == "cancelled"
        assert (await customer.order(good) or {})["delivery"] == {**DELIVERY, "erased": False}
        refused = {"lines": [], "payment_token": CARD, "delivery": {**DELIVERY, "email": "no e-mail"}, **DELIVERY}
        assert (await customer.call("POST", "/v1/orders", refused, {"Idempotency-Key": "k"}))[0] == 422
        other = {"Authorization": "Bearer canary-bearer-77", "Idempotency-Key": "k"}
        assert (await customer.call("POST", "/v1/orders", refused, other))[0] == 401
        for path in (f"/v1/orders/{good}/timeline", "/v1/orders"):
            _, told, _ = await customer.call("GET", path)
            assert not leaks(json.dumps(told).encode())
    tokens = [token.rpartition(".")[2] for token in system.tokens.values()]
    secrets = [*DELIVERY.values(), "canary-bearer-77", *tokens]
    found, cards, orders = set(), set(), set()
    for where, content in everything(system):
        found |= {where} if leaks(content, secrets) else set()
        cards |= {where} if leaks(content, [CARD]) else set()
        orders |= {where} if leaks(content, [declined]) else set()
    assert not found
    assert cards <= {"provider.db", "provider.db-wal"}, "a card is its provider's to know"
    assert {"logs/order.jsonl", "order.commands"} <= {it.partition("/")[0] if "@" in it else it for it in orders}


async def test_who_is_erased_is_read_by_nobody_and_the_laws_hold(system: System) -> None:
    await system.stock("canary", 100)
    async with system.client("customer-erased") as customer, system.client("customer-other") as other:
        order_id, key = await place(customer, "tok_ok")
        his, _ = await place(other, "tok_ok")
        _, before, shown = await customer.call("GET", f"/v1/orders/{order_id}")
        orderly("customer", "erase", "customer-erased", "--yes", data=system.data)
        erased = {"name": None, "email": None, "address": None, "erased": True}
        status, after, _ = await customer.call(
            "GET", f"/v1/orders/{order_id}", headers={"If-None-Match": shown["ETag"]}
        )
        assert (status, after) == (200, {**before, "delivery": erased}), "no copy of a client is called fresh"
        assert (await other.order(his) or {})["delivery"]["erased"] is False
        orderly("replay", "order", "--switch", data=system.data)
        async with customer.session.get(f"/v1/orders/{order_id}", headers={"Consistency-Level": "strong"}) as answer:
            assert (await answer.json())["delivery"] == erased
        body = {"lines": [{"sku": "canary", "quantity": 1}], "payment_token": "tok_ok", "delivery": DELIVERY}
        status, _, _ = await customer.call("POST", "/v1/orders", body, {"Idempotency-Key": key})
        assert status == 422, "the key stays used; what it was used for nobody can tell any more"
        again, _ = await place(customer, "tok_ok")
        assert (await customer.order(again) or {})["delivery"] == {**DELIVERY, "erased": False}
        orderly("keys", "rotate", data=system.data)
        assert (await customer.order(again) or {})["delivery"] == {**DELIVERY, "erased": False}
    code, report = system.verify()
    assert (code, report["verdict"]) == (0, "holds"), report


def leaks(content: bytes, canaries: list[str] | None = None) -> bool:
    return any(it.encode() in content for it in canaries or [CARD, *DELIVERY.values()])


def everything(system: System) -> Iterator[tuple[str, bytes]]:
    """Every file of the data folder but the clients' own journals, as it is; every record of every topic, as it is read; all of
    Redis; and what every process tells on its plain port."""
    journals = system.data / "journal"
    for path in system.data.rglob("*"):
        if path.is_file() and journals not in path.parents:
            yield str(path.relative_to(system.data)), content_of(path)
    folder = Folder.at(system.data)
    with records.log_of(folder) as log:
        for topic in log.topics():
            for record in records.read(log, topic):
                yield (
                    records.at_place(record),
                    json.dumps([record.key, dict(record.headers)]).encode() + (record.value or b""),
                )
    if url := keeping.servers_of(folder).redis_url:
        with redis.Redis.from_url(url) as server:
            for key in server.scan_iter():
                yield f"redis {key!r}", key + (server.dump(key) or b"")
    for service in system.status()["services"]:
        if service["admin_port"]:
            for page in ("metrics", "readyz"):
                yield f"{service['name']} /{page}", asked(f"http://127.0.0.1:{service['admin_port']}/{page}")


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a write-ahead log comes and goes
        return b""


def asked(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: Any = answer.read()
    return bytes(content)


async def test_who_did_what_is_told_and_whoever_tampers_with_that_is_found(system: System) -> None:
    await system.stock("canary", 100)
    async with system.client("customer-audited") as customer:
        order_id, _ = await place(customer, "tok_ok")
    orderly("customer", "erase", "customer-audited", "--yes", data=system.data)
    anchoring = [sys.executable, "-m", "orderly.anchors", str(system.data)]
    await asyncio.to_thread(subprocess.run, anchoring, check=True, timeout=60)
    told = json.loads(orderly("audit", "list", "--limit", "1000", "--json", data=system.data).stdout)["items"]
    placed = [it for it in told if it["about"].startswith(order_id) and it["who"] == "customer-audited"]
    assert placed[0]["what"] == "OrderPlaced"
    assert "erased customer-audited" in {it["what"] for it in told if it["kind"] == "done"}
    report = json.loads(orderly("audit", "verify", "--json", data=system.data).stdout)
    assert (report["broken"], report["covered"] > 10) == ([], True)
    acts = Folder.at(system.data).acts
    before = acts.read_bytes()
    acts.write_bytes(before.replace(b"erased customer-audited", b"erased customer-another"))
    assert orderly("audit", "verify", data=system.data, check=False).returncode == 1
    acts.write_bytes(before)
    assert orderly("audit", "verify", "--anchor", report["last"], data=system.data).returncode == 0
