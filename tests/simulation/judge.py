"""The end of a schedule: the laws of the platform, and what only a world at rest can show."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from common.codec import decode_history
from common.contracts.inventory import StockReceived, StockShipped
from common.contracts.order import Line, OrderConfirmed, OrderPlaced
from common.topology import INVENTORY, ORDER, PROCESSING_SERVICES, events
from laws import by_payment, check_all, gather
from tests.simulation.parts import Parts
from tests.simulation.world import PARTITIONS, World


def judge(world: World, parts: Parts) -> list[str]:
    """One sentence for each law that does not hold."""
    history = gather(
        world.log,
        now=world.now,
        settled=True,
        models=world.models,
        behaviours=parts.behaviours,
        ledger=by_payment(world.provider.ledger),
        journals=[world.client.journal],
    )
    broken = [f"{v.id}, {v.law}: {v.first}" for v in check_all(history) if v.verdict != "holds"]
    return broken + list(goods(world, parts))


def goods(world: World, parts: Parts) -> Iterator[str]:
    """At rest: a confirmed order was shipped each of its lines once, nobody else anything; a receipt was counted once."""
    ordered: dict[str, tuple[Line, ...]] = {}
    due: Counter[tuple[str, str]] = Counter()
    for key, event in facts(world, parts, ORDER):
        match event:
            case OrderPlaced(lines=lines):
                ordered[key] = lines
            case OrderConfirmed():
                due.update({(key, line.sku): line.quantity for line in ordered[key]})
    shipped: Counter[tuple[str, str]] = Counter()
    counted: Counter[tuple[str, str]] = Counter()
    for sku, event in facts(world, parts, INVENTORY):
        match event:
            case StockShipped(order_id=order_id, quantity=quantity):
                shipped[order_id, sku] += quantity
            case StockReceived(receipt_id=receipt_id):
                counted[sku, receipt_id] += 1
    for order_id, sku in sorted(due | shipped):
        if due[order_id, sku] != shipped[order_id, sku]:
            yield f"order {order_id}: {shipped[order_id, sku]} {sku} shipped, {due[order_id, sku]} due"
    for sku, receipt in sorted(name for name, times in counted.items() if times > 1):
        yield f"SKU {sku}: receipt {receipt} was counted {counted[sku, receipt]} times"


def facts(world: World, parts: Parts, service: str) -> Iterator[tuple[str, Any]]:
    """(aggregate id, event), in order."""
    codec = parts.behaviours[service].events
    reader = world.log.reader({(events(service), partition): 0 for partition in range(PARTITIONS)})
    for record in reader.poll(0, 100_000):
        for frame in decode_history(record.value or b"").events:
            yield record.key, codec.decode(frame.type, frame.v, frame.data)


def happened(world: World) -> Counter[str]:
    """Which events there were, by name."""
    found: Counter[str] = Counter()
    for service in PROCESSING_SERVICES:
        reader = world.log.reader({(events(service), partition): 0 for partition in range(PARTITIONS)})
        for record in reader.poll(0, 100_000):
            found.update(record.headers["type"].split(","))
    return found
