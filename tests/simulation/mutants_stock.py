"""Inventories that lack one rule. Each is a `decide` or an `evolve` with one row changed."""

from dataclasses import replace
from typing import Any

from immutables import Map

from common.clock import Instant, Millis
from common.contracts.inventory import (
    Event,
    HoldsSwept,
    ReserveStock,
    StockReceived,
    StockRefused,
    StockReleased,
    StockReserved,
    StockShipped,
)
from inventory.domain import OVERDUE, Stock, decide, evolve


def no_barrier_after_release(stock: Stock, event: Event, at: Instant) -> Stock:
    """A released order may reserve again: an old copy of its command does."""
    after = evolve(stock, event, at)
    return replace(after, closed=stock.closed) if isinstance(event, StockReleased) else after


def no_barrier_after_refusal(stock: Stock, event: Event, at: Instant) -> Stock:
    """A refused order may reserve again, when there is more in stock."""
    after = evolve(stock, event, at)
    return replace(after, closed=stock.closed) if isinstance(event, StockRefused) else after


def shipped_goods_stay_held(stock: Stock, event: Event, at: Instant) -> Stock:
    """What was shipped can be released afterwards."""
    if isinstance(event, StockShipped):
        return replace(stock, shipped=stock.shipped + event.quantity)
    return evolve(stock, event, at)


def receipts_are_not_remembered(stock: Stock, event: Event, at: Instant) -> Stock:
    """A receipt that is sent again counts again."""
    after = evolve(stock, event, at)
    return replace(after, receipts=Map()) if isinstance(event, StockReceived) else after


def deadline_ignored(stock: Stock, command: Any, at: Instant, sweep_every: Millis) -> list[Event]:
    """However old a reservation is, it counts, if only the barrier was forgotten."""
    if isinstance(command, ReserveStock):
        return decide(replace(stock, horizon=0), command, command.deadline - 1, sweep_every)
    return decide(stock, command, at, sweep_every)


def holds_twice(stock: Stock, command: Any, at: Instant, sweep_every: Millis) -> list[Event]:
    """A repeated reservation holds once more."""
    if isinstance(command, ReserveStock) and command.order_id in stock.held:
        stock = replace(stock, held=stock.held.delete(command.order_id))
    return decide(stock, command, at, sweep_every)


def sells_what_is_not_there(stock: Stock, command: Any, at: Instant, sweep_every: Millis) -> list[Event]:
    """Nobody looks whether the shelf is empty."""
    if isinstance(command, ReserveStock) and stock.price:
        stock = replace(stock, free=max(stock.free, command.quantity))
    return decide(stock, command, at, sweep_every)


def holds_expire_by_themselves(stock: Stock, command: Any, at: Instant, sweep_every: Millis) -> list[Event]:
    """A hold that lasts too long is released without asking its order."""
    events = decide(stock, command, at, sweep_every)
    if events and isinstance(events[0], HoldsSwept):
        overdue = [(o, hold) for o, hold in sorted(stock.held.items()) if hold.deadline + OVERDUE <= at]
        events += [StockReleased("", order_id, hold.quantity, hold.deadline) for order_id, hold in overdue]
    return events


def partly_reserved(stock: Stock, command: Any, at: Instant, sweep_every: Millis) -> list[Event]:
    """When there is too little, the rest is promised."""
    events = decide(stock, command, at, sweep_every)
    match events:
        case [StockRefused(sku, order_id, free, _, deadline)] if free:
            return [StockReserved(sku, order_id, free, deadline)]
    return events
