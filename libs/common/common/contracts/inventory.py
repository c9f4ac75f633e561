"""Commands and events of one SKU. The key of every record is the SKU."""

from common.clock import Instant
from common.contracts.money import Money
from common.messages import message


@message
class PutProduct:
    """Create the product, or change its name and price."""

    sku: str
    name: str
    price: Money


@message
class ReceiveStock:
    """A delivery to the warehouse. The same `receipt_id` counts once (it is remembered for seven days)."""

    sku: str
    receipt_id: str
    quantity: int


@message
class ReserveStock:
    """Hold `quantity` for the order. Refused after `deadline`, so that an old copy of it can do no harm for ever."""

    sku: str
    order_id: str
    quantity: int
    deadline: Instant


@message
class ReleaseStock:
    """Give up whatever the order holds, and bar a reservation that comes later (until its `deadline`)."""

    sku: str
    order_id: str
    deadline: Instant


@message
class ShipStock:
    """What the order holds leaves the warehouse."""

    sku: str
    order_id: str


@message
class SweepDue:
    """Timer: look for holds that nobody speaks for any more. Never on the wire."""


@message
class ProductPut:
    name: str
    price: Money


@message
class StockReceived:
    """Schema version 2: version 1 had no `receipt_id`."""

    receipt_id: str
    quantity: int


@message
class ReceiptRefused:
    """Nothing was added: an unknown product, or more than a warehouse can count."""

    receipt_id: str
    quantity: int
    reason: str


@message
class StockReserved:
    sku: str
    order_id: str
    quantity: int
    deadline: Instant


@message
class StockRefused:
    """`reason` for people, `free` what there was."""

    sku: str
    order_id: str
    free: int
    reason: str
    deadline: Instant


@message
class StockReleased:
    """`quantity` 0: nothing was held, the door is barred all the same."""

    sku: str
    order_id: str
    quantity: int
    deadline: Instant


@message
class StockShipped:
    sku: str
    order_id: str
    quantity: int


@message
class HoldsSwept:
    """Orders that hold stock for too long were asked (`CheckHold`) and are asked again at the next sweep; barriers and
    receipts past their time are forgotten."""

    overdue: tuple[str, ...]
    sweep_again_at: Instant


Command = PutProduct | ReceiveStock | ReserveStock | ReleaseStock | ShipStock
Timer = SweepDue
Event = (
    ProductPut
    | StockReceived
    | ReceiptRefused
    | StockReserved
    | StockRefused
    | StockReleased
    | StockShipped
    | HoldsSwept
)
Reply = StockReserved | StockRefused | StockReleased | StockShipped
