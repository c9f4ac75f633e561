"""Certificates of the running platform, replaced while orders are placed."""

import asyncio
import json
import uuid

import pytest
from system import System, orderly

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

SERVICES = ("gateway", "order", "payment", "inventory", "provider")


def taken(system: System) -> set[str]:
    """Who has said that it took new certificates."""
    logs = {name: (system.data / "logs" / f"{name}.jsonl").read_text() for name in SERVICES}
    return {name for name, text in logs.items() if '"event":"certificates loaded"' in text}


def refused(system: System) -> list[str]:
    lines = [line for log in (system.data / "logs").glob("*.jsonl") for line in log.read_text().splitlines()]
    return [line for line in lines if '"handshake refused"' in line or '"event":"denied"' in line]


@pytest.mark.parametrize("what", [(), ("--ca",)], ids=["leaves", "authority"])
async def test_orders_do_not_notice_that_certificates_are_replaced(system: System, what: tuple[str, ...]) -> None:
    """A customer that never asks twice. Of an authority's replacement this sees the steps until the new one signs."""
    await system.once("tea", 10_000)
    for log in (system.data / "logs").glob("*.jsonl"):
        log.write_text("")
    before = {it["name"] for it in json.loads(orderly("certs", "show", "--json", data=system.data).stdout)}
    orderly("certs", "rotate", *what, data=system.data)
    async with system.client("alice") as alice:
        async with asyncio.timeout(120):
            while taken(system) != set(SERVICES) or (what and not signs_anew(system, before)):
                status, answer, _ = await alice.call(
                    "POST",
                    "/v1/orders",
                    {"lines": [{"sku": "tea", "quantity": 1}], "payment_token": "tok_ok"},
                    {"Idempotency-Key": uuid.uuid4().hex, "Prefer": "wait=10"},
                )
                assert (status, answer["status"]) == (200, "confirmed")
    assert refused(system) == []


def signs_anew(system: System, before: set[str]) -> bool:
    shown = {it["role"]: it for it in json.loads(orderly("certs", "show", "--json", data=system.data).stdout)}
    return all(shown[name]["signed_by"] not in before for name in SERVICES)
