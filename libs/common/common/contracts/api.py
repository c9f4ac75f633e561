"""The public API's shapes: what callers send, strictly, and what they get. Path, query and header forms: parameters.py.

A number is a number: `"1"`, `true` and `1.0` are no integers, unknown fields are refused. What is answered is built by the
services field by field; these models declare it for OpenAPI and for tests.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.contracts.money import LARGEST_AMOUNT

LARGEST_QUANTITY = 10**9
LARGEST_PAGE = 100
CONSISTENCY_LEVELS = ("eventual", "session", "strong")

SKU = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ORDER_ID = r"^ord_[0-9a-f]{32}$"
VISIBLE = r"^[!-~]{1,255}$"  # printable ASCII without the space

# No control characters, and none that turn the direction of what follows (bidi): a name must read as what it is.
READABLE = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]+$"

Sku = Annotated[str, StringConstraints(pattern=SKU)]
OrderId = Annotated[str, StringConstraints(pattern=ORDER_ID)]
Visible = Annotated[str, StringConstraints(pattern=VISIBLE)]
Quantity = Annotated[int, Field(ge=1, le=LARGEST_QUANTITY)]
OrderStatus = Literal["pending", "confirmed", "cancelled"]


class Body(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class View(BaseModel):
    """What a caller gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(Body):
    """Integer minor units and an ISO 4217 code."""

    amount: Annotated[int, Field(ge=0, le=LARGEST_AMOUNT)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class LineBody(Body):
    sku: Sku
    quantity: Quantity


class DeliveryBody(Body):
    """Personal data."""

    name: Annotated[str, StringConstraints(max_length=200, pattern=READABLE)]
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$")]
    address: Annotated[str, StringConstraints(max_length=500, pattern=READABLE)]


class PlaceOrderBody(Body):
    """`POST /v1/orders`. Prices come from the catalog."""

    lines: Annotated[list[LineBody], Field(min_length=1, max_length=50)]
    payment_token: Visible
    delivery: DeliveryBody | None = None


class ProductBody(Body):
    """`PUT /v1/products/{sku}`."""

    name: Annotated[str, StringConstraints(max_length=200, pattern=READABLE)]
    price: Price


class ReceiptBody(Body):
    """`POST /v1/products/{sku}/receipts`."""

    quantity: Quantity


class Money(View):
    amount: int
    currency: str


class Line(View):
    sku: str
    quantity: int
    unit_price: Money


class Order(View):
    """Pending until it is confirmed or cancelled, for good. `version` 0: accepted, and not yet decided upon."""

    order_id: str
    status: OrderStatus
    reason: str | None
    version: int
    lines: list[Line]
    total: Money
    created_at: str
    updated_at: str


class Delivery(View):
    """`erased`: the customer had it forgotten; nobody can read it any more."""

    name: str | None
    email: str | None
    address: str | None
    erased: bool


class DeliveredOrder(Order):
    """Where it goes is told here and nowhere else."""

    delivery: Delivery | None


class OrderPage(View):
    items: list[Order]
    next_cursor: str | None


class TimelineEntry(View):
    """`topic`, `partition`, `offset`: its place in the log; null for what has none."""

    at: str
    service: str
    kind: Literal["command", "event", "reply", "timer", "effect", "compensation"]
    type: str
    step: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    actor: str
    causation_id: str | None
    trace_id: str


class Timeline(View):
    order_id: str
    entries: list[TimelineEntry]


class Product(View):
    sku: str
    name: str
    price: Money
    available: int
    version: int


class ProductPage(View):
    items: list[Product]
    next_cursor: str | None


class ProductAccepted(View):
    """A change of a product is on the log; `GET` with the answer's Consistency-Token shows it."""

    sku: str


class Payment(View):
    order_id: str
    status: Literal["authorized", "captured", "voided", "refunded", "declined"]
    amount: Money
    captured: Money
    refunded: Money


class Act(View):
    """`who`: a subject, a service's id, or an address. `kind` done: by an operator, to keys."""

    at: str
    kind: Literal["denied", "done"]
    who: str
    what: str
    why: str
    trace_id: str


class ActPage(View):
    items: list[Act]
    next_cursor: str | None


class ProblemView(BaseModel):
    """RFC 9457. Extension members may follow."""

    type: str
    title: str
    status: int
    detail: str
    trace_id: str
