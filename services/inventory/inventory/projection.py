"""The catalog as customers see it.

document  <sku>                    ProductView
document  receipt/<sku>/<receipt>  Receipt: what an operator's key was used for
list      products                 SKUs in order
"""

from collections.abc import Sequence

import msgspec

from common import topology
from common.codec import EventFrame, HistoryFrame
from common.contracts.inventory import ProductPut, StockReceived, StockReleased, StockReserved
from common.contracts.money import Money
from common.eventlog import Stored
from common.projector import Changes, advance
from common.readmodel import Document, Entry

PRODUCTS = "products"


class ProductView(msgspec.Struct, frozen=True):
    """`price` None: stock was moved before the product was put; it is not shown."""

    sku: str
    name: str = ""
    price: Money | None = None
    available: int = 0
    version: int = 0


class Receipt(msgspec.Struct, frozen=True):
    quantity: int


_decode_view = msgspec.json.Decoder(ProductView).decode
_decode_receipt = msgspec.json.Decoder(Receipt).decode
_encode = msgspec.json.Encoder().encode
_decode_put = msgspec.json.Decoder(ProductPut).decode
_decode_received = msgspec.json.Decoder(StockReceived).decode
_decode_moved = msgspec.json.Decoder(Receipt).decode  # of a movement, the quantity alone


def read(document: Document) -> ProductView:
    return _decode_view(document.body)


def read_receipt(document: Document) -> Receipt:
    return _decode_receipt(document.body)


def receipt_key(sku: str, receipt_id: str) -> str:
    return f"receipt/{sku}/{receipt_id}"


class ProductProjection:
    """Pure: what it makes of a record depends on the record and the documents alone."""

    topics: Sequence[str] = (topology.events(topology.INVENTORY),)

    def keys(self, record: Stored) -> Sequence[str]:
        return (record.key,)

    def fold(self, changes: Changes, record: Stored, frame: HistoryFrame | None) -> None:
        stored = changes.documents.get(record.key)
        if frame is None or not advance(stored, record, frame):
            return
        view = read(stored) if stored else ProductView(record.key)
        for event in frame.events:
            if event.type == StockReceived.__name__ and event.v > 1:
                received = _decode_received(event.data)
                key = receipt_key(record.key, received.receipt_id)
                changes.put(Document(key, frame.version, _encode(Receipt(received.quantity))))
            if event.type == ProductPut.__name__ and view.price is None:
                changes.entries.append(Entry(PRODUCTS, record.key, record.key.encode()))
            view = evolve(view, event)
        view = msgspec.structs.replace(view, version=frame.version)
        changes.put(Document(record.key, frame.version, _encode(view)))


def evolve(view: ProductView, event: EventFrame) -> ProductView:
    """The view after one event; what leaves the warehouse was not available any more."""
    match event.type:
        case ProductPut.__name__:
            put = _decode_put(event.data)
            return msgspec.structs.replace(view, name=put.name, price=put.price)
        case StockReceived.__name__ | StockReleased.__name__:
            return msgspec.structs.replace(view, available=view.available + _decode_moved(event.data).quantity)
        case StockReserved.__name__:
            return msgspec.structs.replace(view, available=view.available - _decode_moved(event.data).quantity)
        case _:
            return view
