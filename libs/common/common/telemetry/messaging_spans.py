"""Spans of what goes through the log, named and labelled as OpenTelemetry's semantic conventions for messaging have it.

    send order.commands         an API or a worker appends a command
    process order.commands      one input, from its decision to the commit of its transaction: a child of the span that sent it
    timer …, reply …            one that has no place in the log: a child of what it follows from
    project order               a batch folded into the read model: linked to each trace in it, or a child of the only one

What a decision sends bears the traceparent of its span, and so does the state that it leaves: a timer, an effect, or a
successor after a restart goes on in the same trace. A transaction that was aborted leaves a failed span and no record that
bears it; the next attempt has a span of its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from common import tracecontext
from common.codec import Cause
from common.eventlog import Stored
from common.messages import Envelope, Message
from common.telemetry import traces
from common.telemetry.traces import Attributes

SYSTEMS = {"kafka": ("kafka", "redis"), "embedded": ("orderly", "sqlite")}  # by engine: of messages, of read models

_system, _database = SYSTEMS["embedded"]
_log = structlog.get_logger("decision")


def configure(engine: str) -> None:
    """Which engine this process is on. Once, at start."""
    global _system, _database
    _system, _database = SYSTEMS.get(engine, SYSTEMS["embedded"])


def sending(topic: str, message_id: str) -> Attributes:
    return {
        "messaging.system": _system,
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.destination.name": topic,
        "messaging.message.id": message_id,
    }


def querying(operation: str, what: str) -> Attributes:
    return {"db.system.name": _database, "db.operation.name": operation, "db.collection.name": what}


class Decided:
    """One input of a processor, from here until it is `committed` or `aborted`. Its `traceparent` is for all that it causes."""

    __slots__ = ("_doing", "_events", "_span", "_steps", "_type")

    def __init__(self, cause: Cause, envelope: Envelope) -> None:
        self._type = cause.type
        self._steps = ("", "")
        self._events: Sequence[str] = ()
        if cause.topic:
            self._span = traces.start(f"process {cause.topic}", "consumer", envelope.traceparent, {})
        else:
            self._span = traces.start(f"{cause.kind} {cause.type}", "internal", envelope.traceparent, {})
        self._doing = tracecontext.enter(self._span.traceparent, envelope.correlation)
        if self._span.recorded:
            self._span.attributes = _processing(cause)

    @property
    def traceparent(self) -> str:
        return self._span.traceparent

    def decided(self, events: Sequence[Message], outcome: str, before: str, after: str) -> None:
        """`before` and `after`: where the aggregate's story stands; `outcome`: how it, or this part of it, has ended."""
        self._steps = (before, after)
        self._events = [type(event).__name__ for event in events]
        if not self._span.recorded:
            return
        for name, event in zip(self._events, events, strict=True):
            reason = getattr(event, "reason", "")
            self._span.event(name, {"reason": reason} if reason else None)
        told = self._span.attributes
        if after:
            told["orderly.step"], told["orderly.step.before"] = after, before
        if self._doing.order:
            told[traces.ORDER] = self._doing.order
        if outcome:
            told["orderly.outcome"] = outcome

    def buried(self, reason: str) -> None:
        """It could not be handled, and was set aside."""
        self._span.fail("dead letter", reason)

    def committed(self) -> None:
        self._span.finish()
        before, after = self._steps
        tracecontext.resume(self._doing)
        tell = _log.info if before != after else _log.debug
        tell("decided", type=self._type, events=self._events, step=after, before=before)

    def aborted(self, error: BaseException) -> None:
        self._span.fail(type(error).__name__, f"aborted, nothing of it happened: {error}")
        self._span.finish()


def _processing(cause: Cause) -> dict[str, str | int]:
    if not cause.topic:
        return {"orderly.message.type": cause.type, "messaging.message.id": cause.id}
    return {
        "orderly.message.type": cause.type,
        "messaging.message.id": cause.id,
        "messaging.system": _system,
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": cause.topic,
        "messaging.destination.partition.id": str(cause.partition),
        "messaging.kafka.offset": cause.offset,
    }


@contextmanager
def projecting(service: str, records: Sequence[Stored]) -> Iterator[None]:
    """A batch on its way into the read model, which is written in this block."""
    parents = {it: None for record in records if tracecontext.sampled(it := record.headers.get("traceparent", ""))}
    if not parents:
        yield
        return
    one = next(iter(parents)) if len({tracecontext.trace_id(it) for it in parents}) == 1 else ""
    others = [it for it in parents if it != one]
    told: Attributes = {
        "messaging.system": _system,
        "messaging.operation.type": "process",
        "messaging.operation.name": "project",
        "messaging.destination.name": ", ".join(sorted({record.topic for record in records})),
        "messaging.batch.message_count": len(records),
        **querying("apply", service),
    }
    span = traces.start(f"project {service}", "consumer", one, told, others, root=True)
    tracecontext.enter(span.traceparent)
    try:
        yield
    except BaseException as error:
        span.fail(type(error).__name__, str(error))
        raise
    finally:
        span.finish()
        tracecontext.enter("")
