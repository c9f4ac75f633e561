"""What one input makes happen to the stock of one SKU, and whom it is told."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from immutables import Map

from common.clock import Instant, Millis
from common.codec import Codec, members
from common.contracts.inventory import Command, Event, HoldsSwept, Reply, SweepDue
from common.contracts.money import Money
from common.contracts.order import CheckHold
from common.decider import Behaviour, Decision, Input, Wake
from common.messages import Request
from common.topology import INVENTORY, ORDER, commands
from inventory import domain
from inventory.domain import Hold, Stock

Decide = Callable[[Stock, Any, Instant, Millis], list[Event]]


def handle(stock: Stock, given: Input, at: Instant, *, decide: Decide, sweep_every: Millis) -> Decision:
    events = decide(stock, given.message, at, sweep_every)
    return Decision(events, [request for event in events for request in told(event, given)])


def told(event: Event, given: Input) -> list[Request]:
    match event:
        case HoldsSwept(overdue=overdue):
            return [
                Request(commands(ORDER), order_id, CheckHold(order_id, given.key), reply_to=commands(INVENTORY))
                for order_id in overdue
            ]
        case _ if isinstance(event, Reply) and given.envelope.reply_to:
            return [Request(given.envelope.reply_to, event.order_id, event)]
        case _:
            return []


def wake(stock: Stock) -> Wake | None:
    return Wake(stock.sweep_at, SweepDue()) if stock.sweep_at else None


class Saved(msgspec.Struct, frozen=True):
    """The checkpoint form of `Stock`."""

    name: str
    price: Money | None
    received: int
    free: int
    shipped: int
    held: dict[str, Hold]
    closed: dict[str, Instant]
    horizon: Instant
    receipts: dict[str, Instant]
    sweep_at: Instant


_encode = msgspec.json.Encoder(order="deterministic").encode  # maps have no order of their own
_decode = msgspec.json.Decoder(Saved).decode


def dump(stock: Stock) -> bytes:
    return _encode(
        Saved(
            stock.name,
            stock.price,
            stock.received,
            stock.free,
            stock.shipped,
            dict(stock.held),
            dict(stock.closed),
            stock.horizon,
            dict(stock.receipts),
            stock.sweep_at,
        )
    )


def load(payload: bytes) -> Stock:
    saved = _decode(payload)
    return Stock(
        saved.name,
        saved.price,
        saved.received,
        saved.free,
        saved.shipped,
        Map(saved.held),
        Map(saved.closed),
        saved.horizon,
        Map(saved.receipts),
        saved.sweep_at,
    )


def with_receipt_id(fields: dict[str, Any]) -> dict[str, Any]:
    """StockReceived, version 1 to 2."""
    return {**fields, "receipt_id": "unknown"}


OUTCOMES = {
    "StockReserved": "reserved",
    "StockRefused": "refused",
    "StockShipped": "shipped",
    "StockReleased": "released",
}


def behaviour(sweep_every: Millis = domain.SWEEP_EVERY, decide: Decide = domain.decide) -> Behaviour[Stock]:
    return Behaviour(
        service=INVENTORY,
        initial=domain.INITIAL,
        handle=partial(handle, decide=decide, sweep_every=sweep_every),
        evolve=partial(domain.evolve, sweep_every=sweep_every),
        commands=Codec(members(Command)),
        events=Codec(members(Event), {"StockReceived": 2}, {("StockReceived", 1): with_receipt_id}),
        dump=dump,
        load=load,
        wake=wake,
        outcomes=OUTCOMES,
    )


BEHAVIOUR = behaviour()
