"""What is counted of the sagas: how many begin, turn back and end, and how long each step takes. Told by what is committed.

In memory are the sagas in flight. Those that were restored are counted like all others, and not timed: when they began was not
here. For the same reason their age is that since the restore.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from common.clock import Clock, Instant, system_clock
from common.contracts.order import OrderCancelled, OrderConfirmed, OrderPlaced, Step
from common.telemetry import metrics
from common.telemetry.requests import exemplar
from common.watching import Move
from order.handlers import OrderState
from order.saga import CANCELLED_BY_CUSTOMER, DECLINED, INVENTORY_SILENT, PROVIDER_SILENT

STEPS: Sequence[Step] = ("reserving", "authorizing", "settling", "voiding", "releasing", "parked")
FORWARD: Sequence[Step] = ("reserving", "authorizing")
UNDOING = ("voiding", "releasing", "parked", "done")
CAUSES = ("refused", "declined", "silence", "customer")


@dataclass(slots=True)
class Flight:
    """`accepted_at` None: it was restored."""

    partition: int
    step: Step
    since: Instant
    accepted_at: Instant | None = None


class Sagas:
    """Of the partitions that this process owns. A `Watcher`."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._flights: dict[str, Flight] = {}
        for step in STEPS:
            metrics.SAGAS_IN_FLIGHT.labels(step).set_function(partial(self.in_flight, step))
            metrics.SAGA_OLDEST.labels(step).set_function(partial(self.oldest, step))
        metrics.SAGAS_FINISHED.labels("confirmed", "")
        for cause in CAUSES:  # a series that begins with its first event has no increase
            metrics.SAGAS_FINISHED.labels("cancelled", cause)
            for step in FORWARD:
                metrics.SAGAS_COMPENSATED.labels(step, cause)

    def moved(self, move: Move[OrderState]) -> None:
        for event in move.events:
            match event:
                case OrderPlaced():
                    metrics.SAGAS_STARTED.inc()
                    self._flights[move.key] = Flight(move.partition, move.after.saga.step, move.at, move.asked_at)
                case OrderConfirmed():
                    self._ended(move, "confirmed", "")
                case OrderCancelled(reason=reason):
                    self._ended(move, "cancelled", cause_of(reason))
        before, after = move.before.saga.step, move.after.saga.step
        if before in FORWARD and after in UNDOING:
            metrics.SAGAS_COMPENSATED.labels(before, cause_of(_reason(move))).inc()
        if before != after and before != "new":
            self._left(move)

    def restored(self, partition: int, key: str, state: OrderState, at: Instant) -> None:
        if state.saga.step in STEPS:
            self._flights[key] = Flight(partition, state.saga.step, at)

    def lost(self, partition: int) -> None:
        for key in [key for key, flight in self._flights.items() if flight.partition == partition]:
            del self._flights[key]

    def in_flight(self, step: Step) -> int:
        """From any thread, like `oldest`."""
        return Counter(flight.step for flight in list(self._flights.values()))[step]

    def oldest(self, step: Step) -> float:
        """Seconds; 0 when there is none."""
        now = self._clock()
        return max((now - it.since for it in list(self._flights.values()) if it.step == step), default=0) / 1000

    def _ended(self, move: Move[OrderState], outcome: str, cause: str) -> None:
        metrics.SAGAS_FINISHED.labels(outcome, cause).inc()
        flight = self._flights.get(move.key)
        if flight is not None and flight.accepted_at is not None:
            seconds = max(0, move.at - flight.accepted_at) / 1000
            metrics.SAGA_SECONDS.labels(outcome).observe(seconds, exemplar(move.traceparent))

    def _left(self, move: Move[OrderState]) -> None:
        flight = self._flights.get(move.key)
        if flight is None:
            return
        if flight.accepted_at is not None:
            seconds = max(0, move.at - flight.since) / 1000
            metrics.SAGA_STEP_SECONDS.labels(flight.step).observe(seconds, exemplar(move.traceparent))
        flight.step, flight.since = move.after.saga.step, move.at
        if flight.step == "done":
            del self._flights[move.key]


def cause_of(reason: str) -> str:
    """A closed set; what is said to people is not."""
    if reason == CANCELLED_BY_CUSTOMER:
        return "customer"
    if reason in (INVENTORY_SILENT, PROVIDER_SILENT):
        return "silence"
    return "declined" if reason.startswith(DECLINED) else "refused"


def _reason(move: Move[OrderState]) -> str:
    said = [event.reason for event in move.events if isinstance(event, OrderCancelled)]
    return said[0] if said else move.after.saga.reason
