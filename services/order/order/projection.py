"""The order read model: what a customer sees of an order, the listing by customer, prices, and where each step is logged.

document  <order id>            OrderView
document  price/<sku>           Price, folded from the inventory's events: placing an order needs no call
list      orders/<customer>     orders by time of acceptance
list      timeline/<order id>   positions of the records of all services that are about the order, by time

What an entry says is in its sort key alone: there are a dozen for each order.
"""

from collections.abc import Sequence

import msgspec

from common import topology
from common.clock import Instant
from common.codec import HistoryFrame, decode_history
from common.contracts.inventory import ProductPut
from common.contracts.money import Money
from common.contracts.order import Line, OrderCancelled, OrderConfirmed, OrderPlaced
from common.eventlog import Stored
from common.messages import Sealed
from common.projector import Changes, advance
from common.readmodel import Document, Entry


class OrderView(msgspec.Struct, frozen=True):
    """`settled`: the saga has nothing left to do, so the timeline is complete."""

    order_id: str
    customer: str
    fingerprint: str
    lines: tuple[Line, ...]
    total: Money
    created_at: Instant
    updated_at: Instant
    version: int = 0
    status: str = "pending"
    reason: str | None = None
    outstanding: int = 0
    delivery: Sealed | None = None

    @property
    def final(self) -> bool:
        return self.status != "pending"

    @property
    def settled(self) -> bool:
        return self.final and self.outstanding == 0


class Price(msgspec.Struct, frozen=True):
    name: str
    price: Money


_decode_view = msgspec.json.Decoder(OrderView).decode
_decode_placed = msgspec.json.Decoder(OrderPlaced).decode
_decode_put = msgspec.json.Decoder(ProductPut).decode
_decode_cancelled = msgspec.json.Decoder(OrderCancelled).decode
_encode = msgspec.json.Encoder().encode


def read(document: Document) -> OrderView:
    return _decode_view(document.body)


def price_key(sku: str) -> str:
    return f"price/{sku}"


class OrderProjection:
    """Pure: what it makes of a record depends on the record and the documents alone."""

    topics: Sequence[str] = tuple(topology.events(service) for service in topology.PROCESSING_SERVICES)

    def keys(self, record: Stored) -> Sequence[str]:
        return (record.key,) if record.topic == topology.events(topology.ORDER) else ()

    def fold(self, changes: Changes, record: Stored, frame: HistoryFrame | None) -> None:
        if frame is not None:
            self._order(changes, record, frame)
        elif ProductPut.__name__ in record.headers["type"]:
            self._price(changes, record)
        order_id = record.headers["correlation"]
        if order_id.startswith("ord_"):
            changes.entries.append(timeline_entry(order_id, record))

    def _order(self, changes: Changes, record: Stored, frame: HistoryFrame) -> None:
        stored = changes.documents.get(record.key)
        if not advance(stored, record, frame):
            return
        view = read(stored) if stored else None
        for event in frame.events:
            view = evolve(view, event.type, event.data, frame.cause.at)
            if event.type == OrderPlaced.__name__ and view is not None:
                sort = f"{view.created_at:013d}.{view.order_id}"
                changes.entries.append(Entry(f"orders/{view.customer}", sort, b""))
        if view is not None:
            at = int(record.headers["at"])
            view = msgspec.structs.replace(view, version=frame.version, updated_at=at)
            changes.put(Document(record.key, frame.version, _encode(view)))

    def _price(self, changes: Changes, record: Stored) -> None:
        frame = decode_history(record.value or b"")
        for event in frame.events:
            if event.type == ProductPut.__name__:
                put = _decode_put(event.data)
                changes.put(Document(price_key(record.key), frame.version, _encode(Price(put.name, put.price))))


def evolve(view: OrderView | None, name: str, data: msgspec.Raw, at: Instant) -> OrderView | None:
    """The view after one event; events that a customer does not see change nothing but the version."""
    if name == OrderPlaced.__name__:
        placed = _decode_placed(data)
        seen = (placed.order_id, placed.customer, placed.fingerprint, placed.lines, placed.total)
        return OrderView(*seen, at, at, delivery=placed.delivery)
    if view is None:
        return None
    if name == OrderConfirmed.__name__:
        outstanding = len(view.lines) + 1  # every line is shipped, the payment is captured
        return msgspec.structs.replace(view, status="confirmed", outstanding=outstanding)
    if name == OrderCancelled.__name__:
        return msgspec.structs.replace(view, status="cancelled", reason=_decode_cancelled(data).reason)
    if name in ("StockShipped", "PaymentCaptured"):
        return msgspec.structs.replace(view, outstanding=view.outstanding - 1)
    return view


def timeline_entry(order_id: str, record: Stored) -> Entry:
    sort = f"{int(record.headers['at']):013d}/{record.topic}/{record.partition}/{record.offset}"
    return Entry(f"timeline/{order_id}", sort, b"")


def listed(entry: Entry) -> str:
    """The order that an entry of a customer's list stands for."""
    return entry.sort.partition(".")[2]


def position(entry: Entry) -> tuple[str, int, int]:
    """The topic, partition and offset that an entry of a timeline stands for."""
    _, topic, partition, offset = entry.sort.split("/")
    return topic, int(partition), int(offset)
