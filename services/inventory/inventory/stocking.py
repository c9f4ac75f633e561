"""Accepts what operators do to products. Each answer waits until the catalog shows it, or says that it will."""

import hashlib

import structlog

from common.consistency import Asked, Token
from common.contracts.api import ProductBody, ReceiptBody
from common.contracts.inventory import PutProduct, ReceiveStock
from common.contracts.money import Money
from common.problems import Problem
from common.security.identity import Identity
from common.sender import Sender
from inventory.queries import Queries

_log = structlog.get_logger("stocking")


class Stocking:
    def __init__(self, queries: Queries, sender: Sender) -> None:
        self._queries = queries
        self._sender = sender

    async def put(self, sku: str, body: ProductBody, caller: Identity, traceparent: str) -> Token:
        command = PutProduct(sku, body.name, Money(body.price.amount, body.price.currency))
        position, _ = await self._sender.send(sku, command, actor=caller.subject, traceparent=traceparent)
        _log.info("product put", correlation=sku)
        return Token.at(position)

    async def receive(
        self, sku: str, body: ReceiptBody, key: str, caller: Identity, traceparent: str, asked: Asked
    ) -> Token | None:
        """None: the key was used for this very receipt before. Raises Problem 422 when it was used for another, or when
        the stock would be more than can be counted; 404 for a product that is unknown to a read model as fresh as `asked`."""
        await self._queries.product(sku, asked)
        receipt_id = hashlib.blake2b(f"{caller.subject}\0{key}".encode(), digest_size=16).hexdigest()
        if await self._same(sku, receipt_id, body):
            return None
        command = ReceiveStock(sku, receipt_id, body.quantity)
        position, _ = await self._sender.send(sku, command, actor=caller.subject, traceparent=traceparent)
        token = Token.at(position)
        await self._queries.caught_up(Asked(token))
        if not await self._same(sku, receipt_id, body):
            raise Problem(422, "receipt-refused", "The stock would be more than can be counted.")
        _log.info("stock received", correlation=sku, quantity=body.quantity)
        return token

    async def _same(self, sku: str, receipt_id: str, body: ReceiptBody) -> bool:
        known = await self._queries.receipt(sku, receipt_id)
        if known is not None and known.quantity != body.quantity:
            raise Problem(422, "idempotency-key-reused", "This Idempotency-Key was used for another receipt.")
        return known is not None
