"""Certificates of the running platform, replaced while orders are placed."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from system import System, orderly
from target import Target

from common.topology import SERVICES

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


def events(system: Target, *names: str) -> Counter[str]:
    """How often each service has logged one of these."""
    said = {service: system.log(service) for service in SERVICES}
    return Counter({service: sum(text.count(f'"event":"{name}"') for name in names) for service, text in said.items()})


async def order_until(system: Target, over: Callable[[], bool]) -> None:
    """By a customer that never asks twice."""
    await system.once("tea", 10_000)
    refused = events(system, "handshake refused", "denied")
    async with asyncio.timeout(180), system.client("alice") as alice:
        while not await asyncio.to_thread(over):
            status, answer, _ = await alice.call(
                "POST",
                "/v1/orders",
                {"lines": [{"sku": "tea", "quantity": 1}], "payment_token": "tok_ok"},
                {"Idempotency-Key": uuid.uuid4().hex, "Prefer": "wait=10"},
            )
            assert (status, answer["status"]) == (200, "confirmed")
    assert events(system, "handshake refused", "denied") == refused


def all_taken(system: Target, before: Counter[str]) -> bool:
    now = events(system, "certificates loaded")
    return all(now[service] > before[service] for service in SERVICES)


async def test_orders_do_not_notice_that_all_certificates_are_replaced(system: Target) -> None:
    before = events(system, "certificates loaded")
    await asyncio.to_thread(system.rotate)
    await order_until(system, lambda: all_taken(system, before))


@pytest.mark.local
async def test_orders_do_not_notice_that_the_authority_is_replaced(system: System) -> None:
    """This sees the steps until the new one signs."""
    before, known = events(system, "certificates loaded"), {it["name"] for it in shown(system)}

    def signs_anew() -> bool:
        signed = {it["role"]: it["signed_by"] for it in shown(system)}
        return all(signed[name] not in known for name in SERVICES)

    orderly("certs", "rotate", "--ca", data=system.data)
    await order_until(system, lambda: signs_anew() and all_taken(system, before))


def shown(system: System) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(orderly("certs", "show", "--json", data=system.data).stdout)
    return found
