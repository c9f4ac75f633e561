"""Catalog reads come from a cache, as fresh as they have to be; sessions never read backwards, and no outage fails them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from common.consistency import Token
from common.errors import SettingsError
from common.respond import as_json
from common.testing.http import Reply
from gateway.testing import PRODUCT, Edge, edge

TEA, TOKEN = "/v1/products/tea", str(Token("inventory", 0, 1))
FRESH = {"Consistency-Token": TOKEN}


@dataclass
class Inventory:
    """The catalog's owner: it counts what it is asked, and tells who listens what has changed."""

    versions: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    changed: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    broken: bool = False

    def shown(self, sku: str) -> dict[str, object]:
        return {"sku": sku, "available": self.versions[sku], "version": self.versions[sku]}

    def product(self, sku: str) -> Response:
        if sku not in self.versions:
            return Response(b'{"status":404}', 404, media_type="application/problem+json")
        return as_json(self.shown(sku), headers={"ETag": f'"{self.versions[sku]}"'})

    def application(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/internal/catalog/changes")
        async def follow() -> Response:
            return StreamingResponse(self.tell(), media_type="text/event-stream")

        @app.get("/v1/products")
        async def page(request: Request) -> Response:
            self.asked["page"] += 1
            if request.query_params.get("cursor") == "bad":
                return Response(b'{"status":422}', 422, media_type="application/problem+json")
            return as_json({"items": [self.shown(sku) for sku in sorted(self.versions)], "next_cursor": None})

        @app.get("/v1/products/{sku}")
        async def show(sku: str) -> Response:
            self.asked[sku] += 1
            return self.product(sku) if not self.broken else Response(b"", 500)

        @app.put("/v1/products/{sku}")
        async def put(sku: str) -> Response:
            self.versions[sku] = self.versions.get(sku, 0) + 1
            return self.product(sku)

        return app

    async def tell(self) -> AsyncIterator[bytes]:
        yield b": listening\n\n"
        while True:
            event = b"data: %b\n\n" % (await self.changed.get()).encode()
            yield event[:5]
            yield event[5:]


@asynccontextmanager
async def shop(reads: str = "read-through", **settings: object) -> AsyncIterator[tuple[Edge, Inventory]]:
    inventory = Inventory({"tea": 1, "cup": 1})
    chosen = {"catalog_reads": reads, "catalog_fresh_ms": 60_000, **settings}
    async with edge(inventory.application(), **chosen) as gateway:
        for begin in gateway.process.background:
            await begin()
        async with asyncio.timeout(10):
            for probe in ("one", "two"):  # forgotten when it begins to listen, or when it has heard; the second: heard
                await gateway.call("alice", "GET", f"/v1/products/{probe}")
                inventory.changed.put_nowait(probe)
                while inventory.asked[probe] < 2:
                    await gateway.call("alice", "GET", f"/v1/products/{probe}")
        inventory.asked.clear()
        yield gateway, inventory


def versions(reply: Reply) -> dict[str, int]:
    assert reply.status == 200, reply
    return {item["sku"]: item["version"] for item in reply.json()["items"]}


@pytest.mark.parametrize("reads", ["cache-aside", "read-through", "refresh-ahead"])
async def test_what_was_asked_once_is_not_asked_again(reads: str) -> None:
    async with shop(reads) as (gateway, inventory):
        replies = [await gateway.call(who, "GET", TEA) for who in ("alice", "bob", "alice")]
        assert [reply.json() for reply in replies] == [inventory.shown("tea")] * 3
        assert {reply.headers["etag"] for reply in replies} == {'"1"'}
        assert all(int(reply.headers["age"]) >= 0 for reply in replies)
        pages = [versions(await gateway.call("alice", "GET", "/v1/products")) for _ in range(3)]
        assert pages == [{"cup": 1, "tea": 1}] * 3
        assert inventory.asked == {"tea": 1, "page": 1}
        assert (await gateway.call("alice", "GET", TEA, {"If-None-Match": '"1"'})).status == 304


async def test_a_caller_with_a_token_or_who_wants_a_strong_read_goes_around_the_cache_and_refreshes_it() -> None:
    for headers in (FRESH, {"Consistency-Level": "strong"}):
        async with shop() as (gateway, inventory):
            await gateway.call("alice", "GET", TEA)
            inventory.versions["tea"] = 5
            assert (await gateway.call("alice", "GET", TEA)).json()["version"] == 1
            assert (await gateway.call("alice", "GET", TEA, headers)).json()["version"] == 5
            assert (await gateway.call("bob", "GET", TEA)).json()["version"] == 5


async def test_a_token_of_another_service_and_an_eventual_read_do_not() -> None:
    async with shop() as (gateway, inventory):
        for headers in ({"Consistency-Token": str(Token("order", 0, 1))}, {**FRESH, "Consistency-Level": "eventual"}):
            await gateway.call("alice", "GET", TEA, headers)
        assert inventory.asked["tea"] == 1


async def test_L9_a_page_is_never_older_than_a_product_that_was_seen_nor_a_product_than_a_page() -> None:
    async with shop() as (gateway, inventory):
        assert versions(await gateway.call("alice", "GET", "/v1/products"))["tea"] == 1
        inventory.versions["tea"] = 5
        await gateway.call("alice", "GET", TEA, FRESH)
        assert versions(await gateway.call("alice", "GET", "/v1/products")) == {"cup": 1, "tea": 5}
        inventory.versions["tea"] = inventory.versions["cup"] = 9
        assert versions(await gateway.call("alice", "GET", "/v1/products", FRESH)) == {"cup": 9, "tea": 9}
        assert (await gateway.call("alice", "GET", TEA)).json()["version"] == 9


@pytest.mark.parametrize("writes", ["write-through", "write-around"])
async def test_what_was_written_here_is_read_here_without_a_token(writes: str) -> None:
    async with shop(catalog_writes=writes) as (gateway, inventory):
        await gateway.call("alice", "GET", TEA)
        await gateway.call("alice", "GET", "/v1/products")
        assert (await gateway.call("operator", "PUT", TEA, body=PRODUCT)).status == 200
        assert (await gateway.call("operator", "PUT", "/v1/products/new", body=PRODUCT)).status == 200
        assert (await gateway.call("alice", "GET", TEA)).json()["version"] == 2
        assert versions(await gateway.call("alice", "GET", "/v1/products")) == {"cup": 1, "new": 1, "tea": 2}
        assert inventory.asked["tea"] == (1 if writes == "write-through" else 2)


async def test_what_is_written_elsewhere_is_heard_of_and_forgotten_here() -> None:
    async with shop() as (gateway, inventory):
        await gateway.call("alice", "GET", TEA)
        await gateway.call("alice", "GET", "/v1/products")
        inventory.versions |= {"tea": 2, "new": 1}
        inventory.changed.put_nowait("tea")
        inventory.changed.put_nowait("new")
        async with asyncio.timeout(10):
            while versions(await gateway.call("alice", "GET", "/v1/products")) != {"cup": 1, "new": 1, "tea": 2}:
                pass
        assert (await gateway.call("alice", "GET", TEA)).json()["version"] == 2


async def test_while_the_inventory_fails_what_was_known_stands_in() -> None:
    async with shop(catalog_fresh_ms=1) as (gateway, inventory):
        await gateway.call("alice", "GET", TEA)
        inventory.broken = True
        await asyncio.sleep(0.05)
        assert (await gateway.call("alice", "GET", TEA)).json()["version"] == 1
        assert (await gateway.call("alice", "GET", "/v1/products/other")).status == 503


async def test_what_there_is_not_is_not_asked_for_again_and_what_cannot_be_kept_is_passed_on() -> None:
    async with shop() as (gateway, inventory):
        replies = [await gateway.call("alice", "GET", "/v1/products/none") for _ in range(3)]
        assert [(reply.status, reply.is_problem) for reply in replies] == [(404, True)] * 3
        assert inventory.asked["none"] == 1
        replies = [await gateway.call("alice", "GET", "/v1/products?cursor=bad") for _ in range(2)]
        assert [reply.status for reply in replies] == [422, 422]
        assert inventory.asked["page"] == 2


async def test_many_who_want_the_same_at_once_are_one_question() -> None:
    async with shop() as (gateway, inventory):
        await gateway.token("alice")
        replies = await asyncio.gather(*(gateway.call("alice", "GET", TEA) for _ in range(30)))
        assert {reply.status for reply in replies} == {200}
        assert inventory.asked["tea"] <= 3  # they do not all arrive at the same moment


async def test_a_strategy_that_there_is_not_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="refresh-ahead"):
        async with edge(catalog_reads="guess"):
            pass
