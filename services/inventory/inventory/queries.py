"""What may be asked of the catalog: answered from the read model alone."""

from typing import Any

from common import parameters
from common.consistency import AT_ONCE, Asked
from common.eventlog import EventLog
from common.freshness import Freshness
from common.problems import Problem
from common.readmodel import View
from common.topology import INVENTORY
from inventory.projection import PRODUCTS, ProductView, Receipt, read, read_receipt, receipt_key


def shown(view: ProductView) -> dict[str, Any]:
    """The public shape of a product."""
    return {
        "sku": view.sku,
        "name": view.name,
        "price": view.price,
        "available": view.available,
        "version": view.version,
    }


class Queries:
    def __init__(self, view: View, log: EventLog) -> None:
        self._view = view
        self._freshness = Freshness(INVENTORY, view, log)

    async def product(self, sku: str, asked: Asked = AT_ONCE) -> ProductView:
        """Raises Problem 404 for what is not sold."""
        await self.caught_up(asked, sku)
        document = await self._view.get(sku)
        view = read(document) if document else None
        if view is None or view.price is None:
            raise Problem(404, "product-not-found", "There is no such product.")
        return view

    async def receipt(self, sku: str, receipt_id: str) -> Receipt | None:
        document = await self._view.get(receipt_key(sku, receipt_id))
        return read_receipt(document) if document else None

    async def page(self, cursor: str, limit: int, asked: Asked = AT_ONCE) -> dict[str, Any]:
        """In the order of SKUs; the cursor is the last one seen."""
        if cursor and not parameters.is_sku(cursor):
            raise parameters.invalid_cursor()
        await self.caught_up(asked)
        entries = await self._view.list(PRODUCTS, after=cursor, limit=limit + 1)
        skus = [entry.sort for entry in entries[:limit]]
        documents = await self._view.get_many(skus)
        return {
            "items": [shown(read(documents[sku])) for sku in skus if sku in documents],
            "next_cursor": skus[-1] if len(entries) > limit else None,
        }

    async def caught_up(self, asked: Asked, sku: str | None = None) -> None:
        await self._freshness.meet(asked, sku)
