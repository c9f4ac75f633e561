"""The demo shop: a few products, with enough on the shelf and one that is sold out."""

import uuid
from dataclasses import dataclass
from typing import Any

from orderly.api import Api


@dataclass(frozen=True, slots=True)
class Product:
    """`stock`: the shelf is filled up to it when it is half empty."""

    sku: str
    name: str
    cents: int
    stock: int

    @property
    def price(self) -> dict[str, Any]:
        return {"amount": self.cents, "currency": "EUR"}


CATALOG = (
    Product("tea", "Sencha, first flush, 100 g", 1290, 200),
    Product("mug", "Stoneware mug", 1450, 200),
    Product("kettle", "Gooseneck kettle", 7900, 100),
    Product("golden-teapot", "Golden teapot", 199_900, 0),
)


def stock_up(operator: Api) -> dict[str, int]:
    """Make the shop as it should be, on old data too. Returns what is available of each product."""
    known = {it["sku"]: it for it in operator.pages("/v1/products", limit=10_000)}
    return {product.sku: _stock_up(operator, product, known.get(product.sku)) for product in CATALOG}


def _stock_up(operator: Api, product: Product, known: dict[str, Any] | None) -> int:
    if known is None or (known["name"], known["price"]) != (product.name, product.price):
        operator.send("PUT", f"/v1/products/{product.sku}", {"name": product.name, "price": product.price})
    available: int = known["available"] if known else 0
    if available >= (product.stock + 1) // 2:
        return available
    missing = product.stock - available
    operator.send("POST", f"/v1/products/{product.sku}/receipts", {"quantity": missing}, key=str(uuid.uuid4()))
    return product.stock
