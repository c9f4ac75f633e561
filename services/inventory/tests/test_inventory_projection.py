"""The catalog as a pure fold of the inventory's history."""

from common.codec import decode_history
from common.contracts.inventory import ProductPut, StockReceived, StockReleased, StockReserved, StockShipped
from common.contracts.money import Money
from common.eventlog import Stored
from common.messages import Message
from common.projector import Changes
from common.testing.histories import History
from inventory.projection import ProductProjection, ProductView, read, read_receipt, receipt_key

PRICE = Money(1999, "EUR")


def fold(*records: Stored) -> Changes:
    changes = Changes()
    for record in records:
        ProductProjection().fold(changes, record, decode_history(record.value or b""))
    return changes


def after(*events: Message) -> ProductView:
    history = History("inventory", "tea")
    return read(fold(*(history.record(event, schema=2) for event in events)).documents["tea"])


def test_what_is_put_is_listed_with_name_and_price() -> None:
    changes = fold(History("inventory", "tea").record(ProductPut("Tea", PRICE)))
    assert read(changes.documents["tea"]) == ProductView("tea", "Tea", PRICE, 0, 1)
    assert [(entry.list, entry.sort) for entry in changes.entries] == [("products", "tea")]


def test_a_product_that_is_put_again_is_listed_once() -> None:
    history = History("inventory", "tea")
    changes = fold(history.record(ProductPut("Tea", PRICE)), history.record(ProductPut("Green tea", PRICE)))
    assert (len(changes.entries), read(changes.documents["tea"]).name) == (1, "Green tea")


def test_available_is_what_nobody_holds() -> None:
    received, reserved = StockReceived("r", 10), StockReserved("tea", "o1", 4, 0)
    assert after(received).available == 10
    assert after(received, reserved).available == 6
    assert after(received, reserved, StockReleased("tea", "o1", 4, 0)).available == 10
    assert after(received, reserved, StockShipped("tea", "o1", 4)).available == 6


def test_a_receipt_is_remembered_with_its_quantity() -> None:
    changes = fold(History("inventory", "tea").record(StockReceived("r1", 10), schema=2))
    assert read_receipt(changes.documents[receipt_key("tea", "r1")]).quantity == 10


def test_a_receipt_of_the_old_schema_counts_but_has_no_id() -> None:
    old = History("inventory", "tea").record(StockReceived("", 10), schema=1)
    assert read(fold(old).documents["tea"]).available == 10
    assert list(fold(old).documents) == ["tea"]
