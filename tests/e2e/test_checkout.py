"""What a customer goes through: every demo card, several lines, an empty shelf, a change of mind."""

import asyncio
import uuid

import pytest
from target import Target

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", autouse=True)
def shelves(system: Target) -> None:
    async def fill() -> None:
        for sku, quantity in (("tea", 1000), ("cup", 1000), ("empty", 0)):
            await system.stock(sku, quantity)

    asyncio.run(fill())


async def test_a_good_order_is_confirmed_captured_and_shipped(system: Target) -> None:
    async with system.client("alice") as alice:
        order = await alice.place([("tea", 2), ("cup", 1)], wait=10)
        assert (order["status"], order["total"]) == ("confirmed", {"amount": 3 * 1999, "currency": "EUR"})
        await alice.story(order["order_id"], until="StockShipped")
        await alice.story(order["order_id"], until="PaymentCaptured")
        strong = {"Consistency-Level": "strong"}
        status, payment, _ = await alice.call("GET", f"/v1/payments/{order['order_id']}", headers=strong)
        assert (status, payment["status"], payment["captured"]["amount"]) == (200, "captured", 3 * 1999)


@pytest.mark.parametrize(
    ("card", "ending"),
    [
        ("tok_declined", ("cancelled", "payment declined")),
        ("tok_lost", ("confirmed", "")),
        ("tok_error", ("confirmed", "")),
        ("tok_slow", ("cancelled", "payment provider did not answer in time")),
    ],
)
async def test_every_card_ends_as_it_should(system: Target, card: str, ending: tuple[str, str]) -> None:
    async with system.client("alice") as alice:
        order = await alice.final((await alice.place([("tea", 1)], card))["order_id"])
        assert order["status"] == ending[0]
        assert (order["reason"] or "").startswith(ending[1])


async def test_an_empty_shelf_releases_the_line_that_was_held(system: Target) -> None:
    async with system.client("alice") as alice:
        _, before, _ = await alice.call("GET", "/v1/products/cup")
        order = await alice.place([("cup", 3), ("empty", 1)], wait=10)
        assert (order["status"], order["reason"]) == ("cancelled", "out of stock: empty")
        _, after, _ = await alice.call("GET", "/v1/products/cup")
        assert after["available"] == before["available"]
        status, _, _ = await alice.call("GET", f"/v1/payments/{order['order_id']}")
        assert status == 404


async def test_a_cancelled_order_is_undone_even_if_the_void_fails_at_first(system: Target) -> None:
    async with system.client("alice") as alice:
        status = 409
        while status == 409:  # where we are slow, this comes too late now and then
            order = await alice.place([("tea", 1)], "tok_refund_fails")
            await alice.story(order["order_id"], until="AuthorizationRequested")
            status, answer, _ = await alice.call("POST", f"/v1/orders/{order['order_id']}/cancellation")
        assert (status, answer["order_id"]) == (202, order["order_id"])
        ended = await alice.final(order["order_id"])
        assert (ended["status"], ended["reason"]) == ("cancelled", "cancelled by customer")
        assert "AttemptFailed" in await alice.story(order["order_id"], until="OrderCancelled")
        _, payment, _ = await alice.call("GET", f"/v1/payments/{order['order_id']}")
        assert payment["status"] == "voided"


async def test_it_is_too_late_to_cancel_what_is_confirmed(system: Target) -> None:
    async with system.client("alice") as alice:
        order = await alice.place([("tea", 1)], wait=10)
        status, problem, _ = await alice.call("POST", f"/v1/orders/{order['order_id']}/cancellation")
        assert (status, problem["title"]) == (409, "Too late to cancel")


async def test_one_key_is_one_order(system: Target) -> None:
    key = uuid.uuid4().hex
    async with system.client("alice") as alice:
        first, second = await asyncio.gather(*(alice.place([("tea", 1)], key=key) for _ in range(2)))
        assert first["order_id"] == second["order_id"]
        body = {"lines": [{"sku": "tea", "quantity": 2}], "payment_token": "tok_ok"}
        status, _, _ = await alice.call("POST", "/v1/orders", body, {"Idempotency-Key": key})
        assert status == 422


async def test_a_customer_reads_what_it_wrote(system: Target) -> None:
    async with system.client("alice") as alice:
        for _ in range(20):
            body = {"lines": [{"sku": "tea", "quantity": 1}], "payment_token": "tok_ok"}
            _, order, headers = await alice.call("POST", "/v1/orders", body, {"Idempotency-Key": uuid.uuid4().hex})
            token = {"Consistency-Token": headers["Consistency-Token"]}
            status, seen, shown = await alice.call("GET", f"/v1/orders/{order['order_id']}", headers=token)
            assert (status, seen["version"] >= 1, shown["ETag"]) == (200, True, f'"{seen["version"]}"')


async def test_a_strong_read_shows_what_somebody_else_was_told_was_accepted(system: Target) -> None:
    strong = {"Consistency-Level": "strong"}
    async with system.client("alice") as alice, system.client("operator") as operator:
        for _ in range(10):
            order = await alice.place([("tea", 1)])
            status, seen, _ = await operator.call("GET", f"/v1/orders/{order['order_id']}", headers=strong)
            assert (status, seen["version"] >= 1) == (200, True)
        status, page, _ = await alice.call("GET", "/v1/orders?limit=1", headers=strong)
        assert (status, page["items"][0]["order_id"]) == (200, order["order_id"])


async def test_what_a_customer_has_already_is_not_sent_again(system: Target) -> None:
    async with system.client("alice") as alice:
        order = await alice.place([("tea", 1)], wait=10)
        await alice.story(order["order_id"], until="PaymentCaptured")
        await alice.story(order["order_id"], until="StockShipped")
        for path in (f"/v1/orders/{order['order_id']}", f"/v1/payments/{order['order_id']}", "/v1/products/cup"):
            status, shown, headers = await alice.call("GET", path)
            assert (status, bool(shown)) == (200, True)
            status, nothing, again = await alice.call("GET", path, headers={"If-None-Match": headers["ETag"]})
            assert (status, not nothing, again["ETag"]) == (304, True, headers["ETag"]), path


async def test_the_catalog_shows_what_was_written_at_once_and_what_was_ordered_soon(system: Target) -> None:
    async with system.client("operator") as operator, system.client("alice") as alice:
        for amount in (311, 312, 313):
            price = {"amount": amount, "currency": "EUR"}
            await operator.call("PUT", "/v1/products/cup", {"name": "cup", "price": price})
            _, cup, _ = await alice.call("GET", "/v1/products/cup")
            _, page, _ = await alice.call("GET", "/v1/products")
            assert cup["price"] == price
            assert price in [item["price"] for item in page["items"]]
        await alice.place([("cup", 1)], wait=10)
        async with asyncio.timeout(10):
            while (await alice.call("GET", "/v1/products/cup"))[1]["available"] >= cup["available"]:
                pass


async def test_a_new_price_counts_for_whoever_waited_for_it(system: Target) -> None:
    async with system.client("operator") as operator, system.client("alice") as alice:
        for amount in (100, 250, 75):
            price = {"amount": amount, "currency": "EUR"}
            _, _, headers = await operator.call("PUT", "/v1/products/tea", {"name": "tea", "price": price})
            body = {"lines": [{"sku": "tea", "quantity": 1}], "payment_token": "tok_ok"}
            own = {"Idempotency-Key": uuid.uuid4().hex, "Consistency-Token": headers["Consistency-Token"]}
            _, order, _ = await alice.call("POST", "/v1/orders", body, own)
            assert order["total"]["amount"] == amount


async def test_the_listing_has_pages_newest_first(system: Target) -> None:
    async with system.client(f"customer-pages-{uuid.uuid4().hex[:8]}") as customer:
        placed = [(await customer.place([("tea", 1)], wait=10))["order_id"] for _ in range(5)]
        seen: list[str] = []
        cursor = ""
        while True:
            _, page, _ = await customer.call(
                "GET", f"/v1/orders?limit=2&cursor={cursor}" if cursor else "/v1/orders?limit=2"
            )
            seen += [order["order_id"] for order in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == placed[::-1]
