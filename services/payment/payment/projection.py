"""Payments as customers see them: `document <order id>` is a PaymentView. Card data never gets here."""

from collections.abc import Mapping, Sequence

import msgspec

from common import topology
from common.codec import EventFrame, HistoryFrame
from common.contracts.money import Money
from common.contracts.payment import AuthorizationRequested
from common.eventlog import Stored
from common.projector import Changes, advance
from common.readmodel import Document


class PaymentView(msgspec.Struct, frozen=True):
    """`status` empty: nothing is known of it yet, so nothing is shown. `amount` None: it was barred before it was asked for."""

    order_id: str
    customer: str = ""
    status: str = ""
    amount: Money | None = None
    version: int = 0


STATUS: Mapping[str, str] = {
    "PaymentAuthorized": "authorized",
    "PaymentDeclined": "declined",
    "PaymentCaptured": "captured",
    "PaymentVoided": "voided",
    "PaymentRefunded": "refunded",
}

read_view = msgspec.json.Decoder(PaymentView).decode
_encode = msgspec.json.Encoder().encode


class _Asked(msgspec.Struct):
    """Of AuthorizationRequested, what may be seen: the card token is not read at all."""

    customer: str
    amount: Money


_decode_asked = msgspec.json.Decoder(_Asked).decode


class PaymentProjection:
    """Pure: what it makes of a record depends on the record and the documents alone."""

    topics: Sequence[str] = (topology.events(topology.PAYMENT),)

    def keys(self, record: Stored) -> Sequence[str]:
        return (record.key,)

    def fold(self, changes: Changes, record: Stored, frame: HistoryFrame | None) -> None:
        stored = changes.documents.get(record.key)
        if frame is None or not advance(stored, record, frame):
            return
        view = read_view(stored.body) if stored else PaymentView(record.key)
        for event in frame.events:
            view = evolve(view, event)
        view = msgspec.structs.replace(view, version=frame.version)
        changes.put(Document(record.key, frame.version, _encode(view)))


def evolve(view: PaymentView, event: EventFrame) -> PaymentView:
    if event.type == AuthorizationRequested.__name__:
        asked = _decode_asked(event.data)
        return msgspec.structs.replace(view, customer=asked.customer, amount=asked.amount)
    status = STATUS.get(event.type)
    return msgspec.structs.replace(view, status=status) if status else view
