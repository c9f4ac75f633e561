"""What a product costs, asked when an order is placed."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from common.consistency import Token
from common.contracts.money import Money
from common.http_client import Upstream
from common.problems import Problem
from common.readmodel import View
from order.projection import Price, price_key


class _Product(msgspec.Struct):
    price: Money


_decode_price = msgspec.json.Decoder(Price).decode
_decode_product = msgspec.json.Decoder(_Product).decode


class Catalog:
    """Prices come from our own fold of the inventory's events, so they are as fresh as the read model; what is not there
    is asked of the inventory, which knows better. A caller with an inventory token gets that moment's price."""

    def __init__(self, view: View, inventory: Upstream) -> None:
        self._view = view
        self._inventory = inventory

    async def prices(self, skus: Sequence[str], token: Token | None = None) -> Mapping[str, Money]:
        """Raises Problem 422 for a SKU that is not sold, Unavailable when the inventory has to be asked and is away."""
        if token is not None and token.service == "inventory":
            return await self._ask(skus, {"Consistency-Token": str(token)})
        known = await self._view.get_many([price_key(sku) for sku in skus])
        prices = {sku: _decode_price(known[price_key(sku)].body).price for sku in skus if price_key(sku) in known}
        return {**prices, **await self._ask([sku for sku in skus if sku not in prices], {})}

    async def _ask(self, skus: Sequence[str], headers: Mapping[str, str]) -> Mapping[str, Money]:
        return dict(zip(skus, await asyncio.gather(*(self._one(sku, headers) for sku in skus)), strict=True))

    async def _one(self, sku: str, headers: Mapping[str, str]) -> Money:
        answer = await self._inventory.request("GET", f"/v1/products/{sku}", headers=headers)
        if answer.status == 404:
            raise Problem(422, "unknown-sku", "One of the lines names a product that is not sold here.")
        if answer.status != 200:
            raise Problem(503, "catalog-unavailable", "Prices cannot be looked up now.", {"Retry-After": "1"})
        return _decode_product(answer.body).price
