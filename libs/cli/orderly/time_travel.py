"""An order as it was at any moment: the fold of its history up to there, by nothing but what the log says."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common.clock import Instant
from common.codec import HistoryFrame, decode_history
from common.eventlog import EventLog, Stored, partition_of
from common.topology import ORDER, events
from orderly import records
from orderly.failure import Failure

LINE = {"StockReserved": "held", "StockRefused": "refused", "StockReleased": "released", "StockShipped": "shipped"}
PAYMENT = {
    "PaymentAuthorized": "authorized",
    "PaymentDeclined": "declined",
    "PaymentCaptured": "captured",
    "PaymentVoided": "voided",
    "PaymentRefunded": "refunded",
    "PaymentParked": "parked",
}
ASKED = {"AuthorizePayment": "asked for", "CapturePayment": "being captured", "VoidPayment": "being voided"}


@dataclass
class Line:
    sku: str
    quantity: int
    stock: str = "asked for"


@dataclass
class Moment:
    """What the order knew. `history`: the events so far, each with its time."""

    order_id: str
    status: str = "pending"
    reason: str | None = None
    version: int = 0
    payment: str = "not asked for"
    total: dict[str, Any] | None = None
    lines: dict[str, Line] = field(default_factory=dict)
    history: list[tuple[Instant, str]] = field(default_factory=list)

    def ask(self, name: str, key: str) -> None:
        """The order sent this, and waits for the answer."""
        self.payment = ASKED.get(name, self.payment)
        if name == "ReleaseStock" and key in self.lines:
            self.lines[key].stock = "being released"

    def hear(self, name: str, data: dict[str, Any], at: Instant) -> None:
        self.history.append((at, name))
        if name == "OrderPlaced":
            self.total = data["total"]
            self.lines = {it["sku"]: Line(it["sku"], it["quantity"]) for it in data["lines"]}
        elif name in LINE and data["sku"] in self.lines:
            self.lines[data["sku"]].stock = LINE[name]
        elif name in PAYMENT:
            self.payment = PAYMENT[name]
        elif name == "OrderConfirmed":
            self.status = "confirmed"
        elif name == "OrderCancelled":
            self.status, self.reason = "cancelled", data["reason"]


def history_of(log: EventLog, order_id: str) -> list[tuple[Instant, HistoryFrame]]:
    """Raises Failure for an order that the log does not know."""
    topic = events(ORDER)
    records.check_topic(log, topic)
    partition = partition_of(order_id, len(log.end_offsets(topic)))
    found = [_decided(it) for it in records.read(log, topic, partition=partition) if it.key == order_id]
    if not found:
        raise Failure(f"the log knows no order {order_id!r}", "look at: orderly order list")
    return found


def fold(order_id: str, history: Iterable[tuple[Instant, HistoryFrame]], until: Instant) -> Moment:
    moment = Moment(order_id)
    for at, frame in history:
        if at > until:
            break
        moment.version = frame.version
        for event in frame.events:
            moment.hear(event.type, json.loads(bytes(event.data)), at)
        for sent in frame.sent:
            moment.ask(sent.type, sent.key)
    return moment


def parse_time(text: str, placed: Instant) -> Instant:
    """`now`, RFC 3339, or `+120ms` / `+1.5s` after the order was placed."""
    if text == "now":
        return 2**63
    if found := re.fullmatch(r"\+(\d+(?:\.\d+)?)(ms|s|m)?", text):
        return placed + round(float(found[1]) * {"ms": 1, "s": 1000, "m": 60_000}[found[2] or "ms"])
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            f"--at {text!r} is no time", "write 2026-01-31T12:00:00.123Z, or +120ms after the start"
        ) from None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def _decided(record: Stored) -> tuple[Instant, HistoryFrame]:
    return int(record.headers["at"]), decode_history(record.value or b"")
