"""An order's story, told from the log: every command, event, reply, timer, effect and compensation, in order of time."""

from collections.abc import Iterable, Iterator
from typing import Any

from common.clock import Instant, rfc3339
from common.codec import HistoryFrame, decode_history
from common.eventlog import Stored
from common.tracecontext import trace_id

STEPS = {
    "place": ("PlaceOrder", "OrderPlaced"),
    "reserve": ("ReserveStock", "StockReserved", "StockRefused"),
    "authorize": ("AuthorizePayment", "AuthorizationRequested", "PaymentAuthorized", "PaymentDeclined"),
    "confirm": ("OrderConfirmed",),
    "capture": ("CapturePayment", "CaptureRequested", "PaymentCaptured"),
    "ship": ("ShipStock", "StockShipped"),
    "void": ("VoidPayment", "VoidRequested", "PaymentVoided", "RefundRequested", "PaymentRefunded", "PaymentParked"),
    "release": ("ReleaseStock", "StockReleased", "HoldsSwept", "CheckHold"),
    "cancel": ("RequestCancellation", "CancellationRequested", "CancellationRefused", "OrderCancelled"),
}
STEP_OF = {name: step for step, names in STEPS.items() for name in names}

EFFECTS = {"AuthorizationRequested", "CaptureRequested", "AttemptStarted", "AttemptFailed", "ProviderAnswered"}
COMPENSATIONS = {"VoidPayment", "VoidRequested", "PaymentVoided", "RefundRequested", "PaymentRefunded"} | {
    "ReleaseStock",
    "StockReleased",
}

Entry = dict[str, Any]


def tell(records: Iterable[Stored]) -> list[Entry]:
    """The entries of all records. At one time, what caused comes before what it made happen."""
    ordered = sorted(records, key=_depth)
    entries = [entry for record in ordered for entry in _entries(record, decode_history(record.value or b""))]
    return sorted(entries, key=lambda entry: entry["at"])


def _depth(record: Stored) -> tuple[Instant, int, str, int]:
    """Time first; within a millisecond the asked service before the one that hears the answer."""
    service = record.topic.partition(".")[0]
    return int(record.headers["at"]), 1 if service == "order" else 0, record.topic, record.offset


def _entries(record: Stored, frame: HistoryFrame) -> Iterator[Entry]:
    cause = frame.cause
    service = record.topic.partition(".")[0]
    common = {"service": service, "trace_id": trace_id(record.headers.get("traceparent", ""))}
    kind = cause.kind if cause.type not in EFFECTS else "effect"
    decided_at = rfc3339(int(record.headers["at"]))
    yield {
        "at": rfc3339(cause.at) if kind == "command" else decided_at,  # sent; a reply counts when it is heard
        **common,
        "kind": "compensation" if cause.type in COMPENSATIONS and kind == "command" else kind,
        "type": cause.type,
        "step": STEP_OF.get(cause.type),
        "topic": cause.topic or None,
        "partition": cause.partition if cause.topic else None,
        "offset": cause.offset if cause.topic else None,
        "actor": cause.actor,
        "causation_id": cause.id,
    }
    if kind == "reply":  # heard, and recorded as an event of the same name: one entry tells it
        frame = HistoryFrame(cause, frame.version, [e for e in frame.events if e.type != cause.type], frame.sent)
    for event in frame.events:
        yield {
            "at": decided_at,
            **common,
            "kind": _event_kind(event.type),
            "type": event.type,
            "step": STEP_OF.get(event.type),
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "actor": cause.actor,
            "causation_id": cause.id,
        }


def _event_kind(name: str) -> str:
    if name in EFFECTS:
        return "effect"
    return "compensation" if name in COMPENSATIONS else "event"
