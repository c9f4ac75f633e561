"""Stock of one SKU: who may hold how much of it. Nothing is lost and nothing is sold twice (law L4).

    received = free + held + shipped

An order has one hold, once: whatever ends it (refused, released, shipped) closes the door to a reservation that is repeated
or late. A closed door is remembered until its deadline, then it is forgotten and the `horizon` moves there: behind it no
reservation counts. So memory stays bounded, and safety rests on the order of the log, not on any clock.
A command costs O(log n), a sweep O(n), once in a while.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from immutables import Map

from common.clock import HOUR, SECOND, Instant, Millis
from common.contracts.inventory import (
    Command,
    Event,
    HoldsSwept,
    ProductPut,
    PutProduct,
    ReceiptRefused,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    ShipStock,
    StockReceived,
    StockRefused,
    StockReleased,
    StockReserved,
    StockShipped,
    Timer,
)
from common.contracts.money import Money
from common.errors import MessageError

LARGEST_STOCK = 10**12
SWEEP_EVERY: Millis = 60 * SECOND  # at most
OVERDUE: Millis = 60 * SECOND  # a hold so long past its deadline: its order is asked
RECEIPTS_REMEMBERED: Millis = 7 * 24 * HOUR


class Hold(NamedTuple):
    quantity: int
    deadline: Instant


@dataclass(frozen=True, slots=True)
class Stock:
    name: str = ""
    price: Money | None = None  # None: the product was never put
    received: int = 0
    free: int = 0
    shipped: int = 0
    held: Map[str, Hold] = field(default_factory=Map)  # by order
    closed: Map[str, Instant] = field(
        default_factory=Map
    )  # orders that had their hold, or may have none: until this deadline
    horizon: Instant = 0
    receipts: Map[str, Instant] = field(default_factory=Map)  # counted, and when
    sweep_at: Instant = 0  # 0: nothing to sweep


INITIAL = Stock()


def decide(stock: Stock, command: Command | Timer, at: Instant, sweep_every: Millis = SWEEP_EVERY) -> list[Event]:
    match command:
        case PutProduct(name=name, price=price) if (name, price) == (stock.name, stock.price):
            return []
        case PutProduct(name=name, price=price):
            return [ProductPut(name, price)]

        case ReceiveStock(receipt_id=receipt_id) if receipt_id in stock.receipts:
            return []
        case ReceiveStock(receipt_id=receipt_id, quantity=quantity):
            return [receive(stock, receipt_id, positive(quantity))]

        case ReserveStock(order_id=order_id) if order_id in stock.held or order_id in stock.closed:
            return []  # the first answer is in the log, and will be heard
        case ReserveStock(deadline=deadline) if deadline <= max(at, stock.horizon):
            return []  # the order has given up, and its release may be long forgotten
        case ReserveStock(sku, order_id, quantity, deadline):
            if stock.price is None:
                return [StockRefused(sku, order_id, 0, "unknown product", deadline)]
            if positive(quantity) > stock.free:
                return [StockRefused(sku, order_id, stock.free, "out of stock", deadline)]
            return [StockReserved(sku, order_id, quantity, deadline)]

        case ReleaseStock(order_id=order_id) if order_id in stock.closed:
            return []
        case ReleaseStock(sku, order_id, deadline):  # also when nothing is held: it bars a late reservation
            hold = stock.held.get(order_id, Hold(0, deadline))
            return [StockReleased(sku, order_id, hold.quantity, max(hold.deadline, deadline))]

        case ShipStock(sku, order_id):
            held = stock.held.get(order_id)
            return [StockShipped(sku, order_id, held.quantity)] if held else []

        case _:
            return [sweep(stock, at, sweep_every)] if 0 < stock.sweep_at <= at else []


def evolve(stock: Stock, event: Event, at: Instant, sweep_every: Millis = SWEEP_EVERY) -> Stock:
    match event:
        case ProductPut(name, price):
            return replace(stock, name=name, price=price)
        case StockReceived(receipt_id, quantity):
            return replace(
                stock,
                received=stock.received + quantity,
                free=stock.free + quantity,
                receipts=stock.receipts.set(receipt_id, at),
                sweep_at=sooner(stock.sweep_at, at + RECEIPTS_REMEMBERED),
            )
        case ReceiptRefused():
            return stock
        case StockReserved(order_id=order_id, quantity=quantity, deadline=deadline):
            return replace(
                stock,
                free=stock.free - quantity,
                held=stock.held.set(order_id, Hold(quantity, deadline)),
                sweep_at=sooner(stock.sweep_at, at + sweep_every),
            )
        case StockRefused(order_id=order_id, deadline=deadline):
            return close(stock, order_id, deadline, at + sweep_every)
        case StockReleased(order_id=order_id, quantity=quantity, deadline=deadline):
            return close(replace(stock, free=stock.free + quantity), order_id, deadline, at + sweep_every)
        case StockShipped(order_id=order_id, quantity=quantity):
            deadline = stock.held[order_id].deadline
            return close(replace(stock, shipped=stock.shipped + quantity), order_id, deadline, at + sweep_every)
        case HoldsSwept(sweep_again_at=sweep_again_at):
            forgotten = [deadline for deadline in stock.closed.values() if deadline <= at]
            return replace(
                stock,
                closed=Map((order, deadline) for order, deadline in stock.closed.items() if deadline > at),
                horizon=max(stock.horizon, *forgotten) if forgotten else stock.horizon,
                receipts=Map((id, then) for id, then in stock.receipts.items() if then + RECEIPTS_REMEMBERED > at),
                sweep_at=sweep_again_at,
            )
        case _:
            assert_never(event)


def receive(stock: Stock, receipt_id: str, quantity: int) -> Event:
    if stock.price is None:
        return ReceiptRefused(receipt_id, quantity, "unknown product")
    if stock.received - stock.shipped + quantity > LARGEST_STOCK:
        return ReceiptRefused(receipt_id, quantity, f"more than {LARGEST_STOCK} pieces would be in stock")
    return StockReceived(receipt_id, quantity)


def sweep(stock: Stock, at: Instant, sweep_every: Millis) -> HoldsSwept:
    """Overdue holds are asked for at every sweep; the next one is when there is something to do again."""
    overdue = tuple(sorted(order for order, hold in stock.held.items() if hold.deadline + OVERDUE <= at))
    due = [hold.deadline + OVERDUE for hold in stock.held.values()]
    due += [deadline for deadline in stock.closed.values() if deadline > at]
    due += [then + RECEIPTS_REMEMBERED for then in stock.receipts.values() if then + RECEIPTS_REMEMBERED > at]
    return HoldsSwept(overdue, max(min(due), at + sweep_every) if due else 0)


def close(stock: Stock, order_id: str, deadline: Instant, sweep_at: Instant) -> Stock:
    held = stock.held.delete(order_id) if order_id in stock.held else stock.held
    closed = stock.closed.set(order_id, deadline)
    return replace(stock, held=held, closed=closed, sweep_at=sooner(stock.sweep_at, sweep_at))


def sooner(planned: Instant, other: Instant) -> Instant:
    return min(planned, other) if planned else other


def positive(quantity: int) -> int:
    if quantity < 1:
        raise MessageError(f"a quantity of {quantity}: at least 1 is needed; send it again with the right one")
    return quantity
