"""L2: one Idempotency-Key of a customer is one order with one body."""

import msgspec

from common.eventlog import Stored
from common.topology import ORDER
from laws.facts import OrderPlaced, PlaceOrder
from laws.history import History
from laws.journal import JournalEntry
from laws.stream import Decided, Stream, at_place
from laws.verdict import Tally, Verdict

_read = msgspec.json.Decoder(PlaceOrder).decode


class OneOrderPerKey:
    """In the log: an order is placed once, as the very command asked for that caused it. In the journals: one key has one
    order and one body, a twin is never called another body, and no order has two keys.

    The order id is made of customer and key, so a second order of one key would be a second placing of one order.
    """

    def __init__(self, history: History) -> None:
        self._tally = Tally("L2", "one Idempotency-Key of a customer is one order")
        self._placed: set[str] = set()
        self._cut = history.cut
        self._wishes: dict[tuple[int, int], PlaceOrder] = {}  # commands whose history record is not yet seen
        self._orders: dict[
            tuple[int, int], tuple[Stored, OrderPlaced]
        ] = {}  # history records whose command is not yet seen
        self._answers: dict[tuple[str, str], JournalEntry] = {}  # by customer and key: the first acknowledgement
        self._keys: dict[str, tuple[str, str]] = {}  # by order id

    def listen(self, stream: Stream) -> None:
        stream.on_journal(self._journal)
        stream.on_command(ORDER, self._command)
        stream.on_decided(ORDER, self._decided)

    def _command(self, record: Stored) -> None:
        if record.headers.get("type") != "PlaceOrder":
            return
        try:
            wish = _read(record.value or b"")
        except msgspec.MsgspecError:
            return  # a dead letter's business
        place = record.partition, record.offset
        if place in self._orders:
            self._compare(wish, *self._orders.pop(place))
        else:
            self._wishes[place] = wish

    def _decided(self, decided: Decided) -> None:
        record, frame, facts = decided
        place = frame.cause.partition, frame.cause.offset
        wish = self._wishes.pop(place, None)
        for fact in facts:
            if isinstance(fact, OrderPlaced):
                self._placing(record)
                if wish is not None:
                    self._compare(wish, record, fact)
                elif self._cut.is_kept((frame.cause.topic, place[0]), place[1]):
                    self._orders[place] = record, fact

    def _placing(self, record: Stored) -> None:
        self._tally.checked += 1
        if record.key in self._placed:
            self._tally.broke(f"order {record.key}: placed a second time at {at_place(record)}")
        self._placed.add(record.key)

    def _compare(self, wish: PlaceOrder, record: Stored, order: OrderPlaced) -> None:
        if (wish.customer, wish.fingerprint) != (order.customer, order.fingerprint):
            self._tally.broke(f"order {record.key}: {at_place(record)} is not the order that its command asked for")

    def _journal(self, session: str, entry: JournalEntry) -> None:
        if not entry.idempotency_key or entry.kind not in ("ack", "fail"):
            return
        key = entry.customer, entry.idempotency_key
        first = self._answers.get(key)
        if entry.kind == "ack" and entry.order_id:
            self._tally.checked += 1
            self._acknowledged(key, first, entry)
        elif entry.code == 422 and first is not None and entry.fingerprint == first.fingerprint != "":
            self._tally.checked += 1
            self._tally.broke(
                f"order {first.order_id}: the same body under {key[0]}'s key {key[1]} was called another body"
            )

    def _acknowledged(self, key: tuple[str, str], first: JournalEntry | None, entry: JournalEntry) -> None:
        if first is None:
            self._answers[key] = first = entry
        if entry.order_id != first.order_id:
            self._tally.broke(f"{key[0]}'s key {key[1]} has two orders, {first.order_id} and {entry.order_id}")
        if entry.fingerprint and first.fingerprint and entry.fingerprint != first.fingerprint:
            self._tally.broke(f"order {entry.order_id}: two bodies were accepted under {key[0]}'s key {key[1]}")
        if self._keys.setdefault(entry.order_id, key) != key:
            other = self._keys[entry.order_id]
            self._tally.broke(
                f"order {entry.order_id} answers two keys, {other[0]}'s {other[1]} and {key[0]}'s {key[1]}"
            )

    def verdict(self) -> Verdict:
        return self._tally.verdict()
