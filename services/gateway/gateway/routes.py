"""The public API as a table: who serves each call, what it takes besides its path, and how it answers.

Everything else is derived from it: the served routes, OpenAPI, and the tests that go through all of them. Who may make a call
is told by the policies, under its name (common/security/policy).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from common.contracts import api
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`name`: its action in the policies. `keyed`: an Idempotency-Key is required. `waits`: Prefer: wait=N. `paged`: limit and
    cursor. `tagged`: ETag. `leads_to`: calls that its answer makes possible, and where their parameters are (OpenAPI's links).
    `repeatable`: asking twice does what asking once does, even without a key."""

    name: str
    summary: str
    method: str
    path: str
    upstream: str
    answers: Mapping[int, type[BaseModel]]
    refusals: frozenset[int] = frozenset()
    body: type[BaseModel] | None = None
    keyed: bool = False
    waits: bool = False
    paged: bool = False
    tagged: bool = False
    streamed: bool = False
    leads_to: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def repeatable(self) -> bool:
        return not self.keyed

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the path: `order_id`, `sku`."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


_FRESH = {"header.Consistency-Token": "$response.header.Consistency-Token"}
_THE_ORDER = {"order_id": "$response.body#/order_id"}
_THE_PRODUCT = {"sku": "$request.path.sku"}
_NEXT = {"cursor": "$response.body#/next_cursor"}
_TO_AN_ORDER = {
    "show_order": _THE_ORDER | _FRESH,
    "show_timeline": _THE_ORDER | _FRESH,
    "cancel_order": _THE_ORDER,
    "show_payment": _THE_ORDER,
}

ROUTES = (
    Route(
        name="place_order",
        summary="Place an order",
        method="POST",
        path="/v1/orders",
        upstream=ORDER,
        answers={202: api.Order, 200: api.Order},
        refusals=frozenset({409}),
        body=api.PlaceOrderBody,
        keyed=True,
        waits=True,
        leads_to=_TO_AN_ORDER,
    ),
    Route(
        name="list_orders",
        summary="My orders, newest first",
        method="GET",
        path="/v1/orders",
        upstream=ORDER,
        answers={200: api.OrderPage},
        paged=True,
        leads_to={"show_order": {"order_id": "$response.body#/items/0/order_id"}, "list_orders": _NEXT},
    ),
    Route(
        name="show_order",
        summary="One order",
        method="GET",
        path="/v1/orders/{order_id}",
        upstream=ORDER,
        answers={200: api.DeliveredOrder},
        tagged=True,
    ),
    Route(
        name="show_timeline",
        summary="Everything that has happened to an order, in every service",
        method="GET",
        path="/v1/orders/{order_id}/timeline",
        upstream=ORDER,
        answers={200: api.Timeline},
    ),
    Route(
        name="stream_timeline",
        summary="The same, live: server-sent events `entry` and `order`, then `end`",
        method="GET",
        path="/v1/orders/{order_id}/stream",
        upstream=ORDER,
        answers={},
        streamed=True,
    ),
    Route(
        name="cancel_order",
        summary="Cancel an order, as long as it is not too late",
        method="POST",
        path="/v1/orders/{order_id}/cancellation",
        upstream=ORDER,
        answers={202: api.Order, 200: api.Order},
        refusals=frozenset({409}),
        waits=True,
        leads_to={"show_order": _THE_ORDER | _FRESH},
    ),
    Route(
        name="list_products",
        summary="The catalog",
        method="GET",
        path="/v1/products",
        upstream=INVENTORY,
        answers={200: api.ProductPage},
        paged=True,
        leads_to={"show_product": {"sku": "$response.body#/items/0/sku"}, "list_products": _NEXT},
    ),
    Route(
        name="show_product",
        summary="One product, with what is available of it",
        method="GET",
        path="/v1/products/{sku}",
        upstream=INVENTORY,
        answers={200: api.Product},
        tagged=True,
    ),
    Route(
        name="put_product",
        summary="Create a product, or change its name and price",
        method="PUT",
        path="/v1/products/{sku}",
        upstream=INVENTORY,
        answers={200: api.Product, 202: api.ProductAccepted},
        body=api.ProductBody,
        leads_to={"show_product": _THE_PRODUCT | _FRESH, "receive_stock": _THE_PRODUCT | _FRESH},
    ),
    Route(
        name="receive_stock",
        summary="A delivery to the warehouse",
        method="POST",
        path="/v1/products/{sku}/receipts",
        upstream=INVENTORY,
        answers={200: api.Product, 202: api.ProductAccepted},
        refusals=frozenset({409}),
        body=api.ReceiptBody,
        keyed=True,
        leads_to={"show_product": _THE_PRODUCT},
    ),
    Route(
        name="show_payment",
        summary="The payment of an order",
        method="GET",
        path="/v1/payments/{order_id}",
        upstream=PAYMENT,
        answers={200: api.Payment},
        tagged=True,
    ),
    Route(
        name="read_audit",
        summary="What was denied, and what was done to keys, newest first",
        method="GET",
        path="/v1/audit",
        upstream=GATEWAY,
        answers={200: api.ActPage},
        paged=True,
    ),
)
