"""The log as the laws read it: only the fields that a law needs, by the names of `common.contracts`.

On purpose not the services' own decoders. A law that used the code it checks would share its mistakes; and a field that no
law needs costs nothing here, not even when an old schema version did not have it.
"""

import msgspec


class Money(msgspec.Struct, frozen=True, gc=False):
    amount: int
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class Line(msgspec.Struct, frozen=True, gc=False):
    sku: str
    quantity: int


class PlaceOrder(msgspec.Struct, frozen=True, gc=False):
    customer: str
    fingerprint: str


class OrderPlaced(msgspec.Struct, frozen=True, gc=False):
    customer: str
    fingerprint: str
    lines: list[Line]
    total: Money


class OrderConfirmed(msgspec.Struct, frozen=True, gc=False):
    pass


class OrderCancelled(msgspec.Struct, frozen=True, gc=False):
    reason: str


class ProductPut(msgspec.Struct, frozen=True, gc=False):
    name: str
    price: Money


class StockReceived(msgspec.Struct, frozen=True, gc=False):
    quantity: int
    receipt_id: str = ""  # schema version 1 had none


class StockReserved(msgspec.Struct, frozen=True, gc=False):
    sku: str
    order_id: str
    quantity: int


class StockRefused(msgspec.Struct, frozen=True, gc=False):
    sku: str
    order_id: str


class StockReleased(msgspec.Struct, frozen=True, gc=False):
    sku: str
    order_id: str
    quantity: int


class StockShipped(msgspec.Struct, frozen=True, gc=False):
    sku: str
    order_id: str
    quantity: int


class AuthorizationRequested(msgspec.Struct, frozen=True, gc=False):
    amount: Money


class PaymentAuthorized(msgspec.Struct, frozen=True, gc=False):
    pass


class PaymentDeclined(msgspec.Struct, frozen=True, gc=False):
    pass


class CaptureRequested(msgspec.Struct, frozen=True, gc=False):
    pass


class PaymentCaptured(msgspec.Struct, frozen=True, gc=False):
    amount: Money


class PaymentVoided(msgspec.Struct, frozen=True, gc=False):
    pass


class PaymentRefunded(msgspec.Struct, frozen=True, gc=False):
    amount: Money


class PaymentParked(msgspec.Struct, frozen=True, gc=False):
    operation: str
    detail: str


Fact = (
    OrderPlaced
    | OrderConfirmed
    | OrderCancelled
    | ProductPut
    | StockReceived
    | StockReserved
    | StockRefused
    | StockReleased
    | StockShipped
    | AuthorizationRequested
    | PaymentAuthorized
    | PaymentDeclined
    | CaptureRequested
    | PaymentCaptured
    | PaymentVoided
    | PaymentRefunded
    | PaymentParked
)
