"""Counts and times what a service does to its log: around any engine, put there by the wiring.

Transactions are counted when they end: what was sent in an aborted one was never there, its dead letters included.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from common.errors import Fenced, Unavailable
from common.eventlog import Batch, Consumer, EventLog, Position, Record, Transaction
from common.eventlog.around import ConsumerAround, LogAround
from common.telemetry import metrics
from common.telemetry.lag import Lag

OUTCOMES = ("committed", "aborted", "fenced", "unknown")
NOTHING = "Nothing"  # the type of a history record without events


class MeteredLog(LogAround):
    """An event log; `events` and `dead_letters` are topics of the service that writes here."""

    def __init__(self, log: EventLog, events: str, dead_letters: str) -> None:
        super().__init__(log)
        self._events = events
        self._dead_letters = dead_letters
        self._appends = {ok: metrics.LOG_APPENDS.labels("written" if ok else "failed") for ok in (True, False)}

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        begun = time.perf_counter()
        written = super().append(records)
        written.add_done_callback(lambda done: self._appended(done, begun))
        return written

    def consumer(self, topic: str, *, group: str, member: str) -> Consumer:
        consumer = super().consumer(topic, group=group, member=member)
        return MeteredConsumer(consumer, self._events, self._dead_letters)

    def _appended(self, done: "Future[Sequence[Position]]", begun: float) -> None:
        ok = not done.cancelled() and done.exception() is None
        self._appends[ok].inc()
        if ok:
            metrics.LOG_APPEND_SECONDS.observe(time.perf_counter() - begun)


class MeteredConsumer(ConsumerAround):
    """Its lag counts what is committed, not what was merely read."""

    def __init__(self, consumer: Consumer, events: str, dead_letters: str) -> None:
        super().__init__(consumer)
        self._events = events
        self._dead_letters = dead_letters
        self._lag = Lag()
        self._batch = Batch()
        self._outcomes = {it: metrics.LOG_TRANSACTIONS.labels(it) for it in OUTCOMES}
        self._effects = {
            changed: metrics.INPUTS.labels("changed" if changed else "nothing") for changed in (True, False)
        }
        metrics.LAG_SECONDS.labels("processor").set_function(self._lag.seconds)

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        batch = super().poll(timeout, limit)
        if limit:
            self._batch = batch
            if not (batch.records or batch.gained or batch.lost):
                self._lag.idle()
        return batch

    def transaction(self) -> Transaction:
        return MeteredTransaction(super().transaction(), self)

    def committed(self, sent: Sequence[Record], seconds: float) -> None:
        self._lag.done(self._batch.records)
        if not sent:
            return
        self._outcomes["committed"].inc()
        metrics.LOG_TRANSACTION_RECORDS.observe(len(sent))
        metrics.LOG_TRANSACTION_SECONDS.observe(seconds)
        effects = [record.headers["type"] != NOTHING for record in sent if record.topic == self._events]
        for changed, counter in self._effects.items():
            counter.inc(effects.count(changed))
        metrics.DEAD_LETTERS.inc(sum(record.topic == self._dead_letters for record in sent))

    def failed(self, error: BaseException | None) -> None:
        """None: it was left before its end."""
        match error:
            case Fenced():
                self._outcomes["fenced"].inc()
            case Unavailable():
                self._outcomes["unknown"].inc()
            case _:
                self._outcomes["aborted"].inc()


class MeteredTransaction:
    def __init__(self, transaction: Transaction, consumer: MeteredConsumer) -> None:
        self._transaction = transaction
        self._consumer = consumer
        self._sent: list[Record] = []

    @property
    def positions(self) -> Sequence[Position]:
        return self._transaction.positions

    def send(self, record: Record) -> None:
        self._transaction.send(record)
        self._sent.append(record)

    def __enter__(self) -> Self:
        self._transaction.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        begun = time.perf_counter()
        try:
            self._transaction.__exit__(kind, error, trace)
        except BaseException as failure:
            self._consumer.failed(failure)
            raise
        if error is not None:
            self._consumer.failed(None)
        else:
            self._consumer.committed(self._sent, time.perf_counter() - begun)
