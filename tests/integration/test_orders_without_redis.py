"""The order service while its Redis is away: what it answers is right, or 503; what it has accepted stays accepted."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common import topology
from common.clock import system_clock
from common.contracts.inventory import ProductPut
from common.contracts.money import Money
from common.eventlog import Record
from common.eventlog.memory import MemoryLog
from common.http_client import Upstream
from common.processor import Processor
from common.projector import Projector
from common.readmodel import Bell
from common.readmodel.redis import RedisReadModel, RedisView
from common.runtime import Loop
from common.security.identity import CUSTOMER, Identity
from common.sender import Sender
from common.testing.eventually import eventually
from common.testing.histories import History
from common.testing.http import Address, Reply, called_by, serving
from common.testing.vaults import vault_in
from order import api
from order.catalog import Catalog
from order.handlers import BEHAVIOUR
from order.placing import Placing
from order.projection import OrderProjection
from order.queries import Queries
from orderly.backing.private import RedisServer

pytestmark = pytest.mark.redis

ORDER = json.dumps({"lines": [{"sku": "tea", "quantity": 1}], "payment_token": "tok_ok"}).encode()
ALICE = Identity("alice", frozenset({CUSTOMER}))
WITHIN = 60.0


class Service:
    """The order service on a log in memory; it projects into Redis, and another process serves the API."""

    def __init__(self, address: Address, server: RedisServer, log: MemoryLog, loops: list[Loop]) -> None:
        self._address = address
        self.server = server
        self.log = log
        self.loops = loops

    async def place(self, key: str, **headers: str) -> Reply:
        headers |= {"idempotency-key": key, "content-type": "application/json"}
        return await self._address.request("POST", "/v1/orders", headers, ORDER)

    async def show(self, path: str) -> Reply:
        return await self._address.request("GET", path)

    async def shows(self, path: str) -> Reply:
        """As soon as it is 200; until then it is nothing but 503."""
        async with asyncio.timeout(WITHIN):
            while (reply := await self.show(path)).status == 503:
                assert reply.is_problem and reply.headers["retry-after"]
        assert reply.status == 200
        return reply

    def commands(self) -> int:
        return sum(self.log.end_offsets("order.commands").values())


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    server = RedisServer.start(tmp_path)
    log = MemoryLog()
    log.create(topology.topics())
    tea = History("inventory", "tea").record(ProductPut("Tea", Money(1999, "EUR")))
    log.append([Record(tea.topic, tea.key, tea.value, tea.headers)]).result()
    model = RedisReadModel(server.url, "order", Bell())
    projector = Projector("order", OrderProjection(), log, model)
    consumer = log.consumer("order.commands", group=topology.processor_group("order"), member="0")
    processor = Processor(BEHAVIOUR, log, consumer, system_clock)
    loops = [
        Loop("processor", processor.step, wake=processor.wake, close=processor.close, idle=0.1),
        Loop("projector", projector.step, recover=projector.restart, close=projector.close, idle=0.1),
    ]
    view = RedisView(server.url, "order", Bell())
    queries = Queries(view, log)
    vault = vault_in(tmp_path)
    catalog = Catalog(view, Upstream("inventory", "http://127.0.0.1:9"))
    app = api.build(Placing(queries, catalog, Sender("order", log, system_clock), vault, system_clock), queries, vault)
    for loop in loops:
        loop.start()
    await asyncio.to_thread(eventually, lambda: projector.whole, within=WITHIN)
    async with serving(called_by("gateway", app, ALICE)) as address:
        yield Service(address, server, log, loops)
    for loop in loops:
        loop.stop()
    for loop in loops:
        await asyncio.to_thread(loop.join, WITHIN)
    model.close()
    view.close()
    server.close()


async def test_a_frozen_redis_is_a_503_that_says_when_to_come_back(service: Service) -> None:
    placed = (await service.place("k1")).headers["location"]
    await service.shows(placed)
    service.server.freeze()
    for path in (placed, placed + "/timeline", "/v1/orders"):
        refused = await service.show(path)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    commands = service.commands()
    assert (await service.place("k2")).status == 503
    assert service.commands() == commands, "no order is accepted that might be another's twin"
    service.server.thaw()
    assert (await service.shows(placed)).json()["status"] == "pending"
    assert len((await service.shows("/v1/orders")).json()["items"]) == 1


async def test_an_order_that_was_accepted_is_told_so_whatever_becomes_of_redis(service: Service) -> None:
    await service.place("k1")
    before = service.commands()
    placing = asyncio.create_task(service.place("k2", prefer="wait=20"))
    await asyncio.to_thread(eventually, lambda: service.commands() > before, within=WITHIN)
    service.server.freeze()
    accepted = await placing
    service.server.thaw()
    assert accepted.status == 202 and accepted.headers["consistency-token"]
    await service.shows(accepted.headers["location"])


async def test_an_emptied_redis_never_says_that_there_is_no_such_order(service: Service) -> None:
    placed = [(await service.place(f"k{n}")).headers["location"] for n in range(20)]
    for each in placed:
        await service.shows(each)
    for _ in range(3):
        service.server.kill()
        service.server.restart()
        for each in placed:
            await service.shows(each)
    assert {each.rpartition("/")[2] for each in placed} == {
        item["order_id"] for item in (await service.shows("/v1/orders?limit=100")).json()["items"]
    }
