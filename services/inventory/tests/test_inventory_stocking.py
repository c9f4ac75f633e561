"""A delivery to a product that was put a moment ago: whoever shows the token of that need not know what is late."""

import asyncio

import pytest

from common import topology
from common.clock import system_clock
from common.codec import decode_history
from common.consistency import AT_ONCE, Asked
from common.contracts.api import ProductBody, ReceiptBody
from common.contracts.inventory import ProductPut
from common.contracts.money import Money
from common.eventlog.memory import MemoryLog
from common.problems import Problem
from common.projector import Changes
from common.readmodel.memory import MemoryReadModel
from common.security.identity import Identity
from common.sender import Sender
from common.testing.eventually import eventually
from common.testing.histories import History
from inventory.projection import ProductProjection
from inventory.queries import Queries
from inventory.stocking import Stocking

OPERATOR = Identity("operator", frozenset({"operator"}))
COMMANDS = topology.commands("inventory")


async def test_a_receipt_under_the_token_of_its_product_waits_until_that_is_there() -> None:
    log, model = MemoryLog(), MemoryReadModel()
    log.create([*topology.topics(1)])
    stocking = Stocking(Queries(model.view(), log), Sender("inventory", log, system_clock))
    body = ProductBody.model_validate({"name": "Tea", "price": {"amount": 1, "currency": "EUR"}})
    token = await stocking.put("tea", body, OPERATOR, "")
    with pytest.raises(Problem, match="no such product"):
        await receive(stocking, AT_ONCE)
    receiving = asyncio.create_task(receive(stocking, Asked(token)))
    await asyncio.sleep(0.05)
    assert not receiving.done()

    changes, put = Changes(), History("inventory", "tea").record(ProductPut("Tea", Money(1, "EUR")))
    ProductProjection().fold(changes, put, decode_history(put.value or b""))
    model.apply([*changes.documents.values()], changes.entries, {f"{COMMANDS}/{token.partition}": token.offset + 1})
    await asyncio.to_thread(eventually, lambda: log.end_offsets(COMMANDS)[0] == token.offset + 2, within=30)
    receiving.cancel()


async def receive(stocking: Stocking, asked: Asked) -> object:
    return await stocking.receive("tea", ReceiptBody(quantity=5), "key", OPERATOR, "", asked)
