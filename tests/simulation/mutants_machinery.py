"""Processors and consumers that lack one guarantee."""

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import msgspec

from common.checkpoint import MARKER, Checkpoint
from common.codec import encode
from common.decider import Behaviour, Effect
from common.errors import Fenced
from common.eventlog import Consumer, EventLog, Position, Record, Transaction
from common.processor import Offer, Processor


def effects_before_commit(behaviour: Behaviour[Any], *rest: Any, offer: Offer, **settings: Any) -> Processor[Any]:
    """The provider is called while the intent is still in the making: if the commit fails, nobody knows of the call."""

    def evolve(state: Any, event: Any, at: int) -> Any:
        after = behaviour.evolve(state, event, at)
        effect = behaviour.effect(after)
        if effect is not None and effect != behaviour.effect(state):
            offer(effect.intent.order_id, effect, False)
        return after

    return Processor(replace(behaviour, evolve=evolve), *rest, offer=offer, **settings)


def restored_effects_are_forgotten(*rest: Any, offer: Offer, **settings: Any) -> Processor[Any]:
    """What a dead process left undone at the provider stays undone."""

    def first_offer_only(key: str, effect: Effect, restored: bool) -> None:
        if not restored:
            offer(key, effect, restored)

    return Processor(*rest, offer=first_offer_only, **settings)


def timers_are_lost(behaviour: Behaviour[Any], *rest: Any, **settings: Any) -> Processor[Any]:
    """Nobody is ever woken."""
    return Processor(replace(behaviour, wake=lambda state: None), *rest, **settings)


def restored_from_checkpoints_alone(
    behaviour: Behaviour[Any], log: EventLog, *rest: Any, **settings: Any
) -> Processor[Any]:
    """A restart does not read the events after the last checkpoint."""
    return Processor(behaviour, WithoutEvents(log), *rest, **settings)


class ForgetsTooSoon(Processor[Any]):
    """What is finished is forgotten before a checkpoint has passed it: a restart in between takes the rest for a gap."""

    def checkpoint(self) -> None:
        self._forget(self._clock())
        super().checkpoint()


class WithoutEvents:
    """A log whose histories seem to be empty."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def end_offsets(self, topic: str) -> Any:
        return {} if topic.endswith(".events") else self._log.end_offsets(topic)


class Faulty:
    """A transaction that does what it should. Subclasses do not."""

    def __init__(self, inner: Transaction, log: EventLog) -> None:
        self._inner = inner
        self._log = log
        self._positions: list[Position] = []

    @property
    def positions(self) -> Sequence[Position]:
        return [*self._positions, *self._inner.positions]

    def send(self, record: Record) -> None:
        self._inner.send(record)

    def send_at_once(self, record: Record) -> None:
        self._positions += self._log.append([record]).result()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._inner.__exit__(kind, error, trace)


class OffsetsNotInTheTransaction(Faulty):
    """Output is written at once, offsets are committed afterwards."""

    def send(self, record: Record) -> None:
        self.send_at_once(record)


class RequestsNotInTheTransaction(Faulty):
    """What is asked of others goes out at once, the history is committed afterwards."""

    def send(self, record: Record) -> None:
        if record.topic.endswith(".commands"):
            self.send_at_once(record)
        else:
            self._inner.send(record)


class PoisonIsDropped(Faulty):
    """What nobody can read is skipped, and that is that."""

    def send(self, record: Record) -> None:
        if not record.topic.endswith(".dead-letters"):
            self._inner.send(record)


class MarkerTooFar(Faulty):
    """A checkpoint claims to know one more record than it does."""

    def send(self, record: Record) -> None:
        if record.key == MARKER and record.value:
            marker = msgspec.json.decode(record.value, type=Checkpoint)
            record = msgspec.structs.replace(record, value=encode(Checkpoint(marker.version + 1)))
        self._inner.send(record)


class ZombiesAreNotFenced(Faulty):
    """An owner that lost its partitions writes all the same."""

    def __init__(self, inner: Transaction, log: EventLog) -> None:
        super().__init__(inner, log)
        self._sent: list[Record] = []

    def send(self, record: Record) -> None:
        self._sent.append(record)
        self._inner.send(record)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        try:
            self._inner.__exit__(kind, error, trace)
        except Fenced:
            for record in self._sent:
                self.send_at_once(record)


class Tampered:
    """A consumer whose transactions are faulty."""

    def __init__(self, consumer: Consumer, log: EventLog, *, faulty: type[Faulty]) -> None:
        self._consumer = consumer
        self._log = log
        self._faulty = faulty
        self.poll = consumer.poll
        self.seek = consumer.seek
        self.wake = consumer.wake
        self.close = consumer.close

    def transaction(self) -> Transaction:
        return self._faulty(self._consumer.transaction(), self._log)
