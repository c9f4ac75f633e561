"""What each document of the read models must show: the events, folded once more, by nothing but the events.

Pure, and on purpose not the services' projections: law L8 compares the two.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from common.topology import INVENTORY, ORDER, PAYMENT
from laws.facts import (
    AuthorizationRequested,
    Fact,
    Money,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    ProductPut,
    StockReceived,
    StockReleased,
    StockReserved,
)


class ShownOrder(NamedTuple):
    status: str = ""
    reason: str | None = None
    total: Money | None = None


class ShownPayment(NamedTuple):
    status: str = ""
    amount: Money | None = None


class ShownProduct(NamedTuple):
    name: str = ""
    price: Money | None = None
    available: int = 0


class ShownPrice(NamedTuple):
    name: str = ""
    price: Money | None = None


def order(shown: ShownOrder, fact: Fact) -> ShownOrder:
    match fact:
        case OrderPlaced(total=total):
            return ShownOrder("pending", None, total)
        case OrderConfirmed():
            return shown._replace(status="confirmed")
        case OrderCancelled(reason):
            return shown._replace(status="cancelled", reason=reason)
        case _:
            return shown


def payment(shown: ShownPayment, fact: Fact) -> ShownPayment:
    match fact:
        case AuthorizationRequested(amount):
            return shown._replace(amount=amount)
        case PaymentAuthorized():
            return shown._replace(status="authorized")
        case PaymentDeclined():
            return shown._replace(status="declined")
        case PaymentCaptured():
            return shown._replace(status="captured")
        case PaymentVoided():
            return shown._replace(status="voided")
        case PaymentRefunded():
            return shown._replace(status="refunded")
        case _:
            return shown


def product(shown: ShownProduct, fact: Fact) -> ShownProduct:
    match fact:
        case ProductPut(name, price):
            return shown._replace(name=name, price=price)
        case StockReceived(quantity) | StockReleased(_, _, quantity):
            return shown._replace(available=shown.available + quantity)
        case StockReserved(_, _, quantity):
            return shown._replace(available=shown.available - quantity)
        case _:
            return shown


def price(shown: ShownPrice, fact: Fact) -> ShownPrice:
    match fact:
        case ProductPut(name, price):
            return ShownPrice(name, price)
        case _:
            return shown


class Fold(NamedTuple):
    """`model`: whose read model has the documents; `source`: whose events they show; `key`: the document of an aggregate.
    `each_version`: the document moves with every event, not only with those that change what it shows."""

    model: str
    source: str
    initial: Any
    evolve: Callable[[Any, Fact], Any]
    key: Callable[[str], str] = str
    each_version: bool = True


FOLDS = (
    Fold(ORDER, ORDER, ShownOrder(), order),
    Fold(PAYMENT, PAYMENT, ShownPayment(), payment),
    Fold(INVENTORY, INVENTORY, ShownProduct(), product),
    Fold(ORDER, INVENTORY, ShownPrice(), price, "price/{}".format, each_version=False),
)
