"""The payment provider's own books, by payment: what laws L5 and L6 compare the log with."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypedDict


class LedgerRow(TypedDict):
    """One payment. `reference` is the order id, amounts are in minor units, `status` is authorized, captured, voided, refunded
    or declined."""

    reference: str
    status: str
    amount: int
    captured: int
    refunded: int


class OperationRow(TypedDict):
    """One operation, as the simulated provider's ledger lists it; further fields are ignored. `operation` is authorize,
    capture, void or refund, `result` done or declined."""

    reference: str
    operation: str
    amount: int
    result: str


AFTER: Mapping[str, str] = {"authorize": "authorized", "capture": "captured", "void": "voided", "refund": "refunded"}


def by_payment(operations: Iterable[OperationRow]) -> Iterator[LedgerRow]:
    """Adds up a list of operations. Reads nothing before it is first asked: give it to `gather` as it is."""
    rows: dict[str, LedgerRow] = {}
    for each in operations:
        row = rows.get(each["reference"])
        if row is None:
            row = LedgerRow(reference=each["reference"], status="declined", amount=0, captured=0, refunded=0)
            rows[each["reference"]] = row
        if each["result"] != "done":
            continue
        row["status"] = AFTER[each["operation"]]
        match each["operation"]:
            case "authorize":
                row["amount"] = each["amount"]
            case "capture":
                row["captured"] += each["amount"]
            case "refund":
                row["refunded"] += each["amount"]
    yield from rows.values()
