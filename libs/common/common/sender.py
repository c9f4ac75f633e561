"""An API's way to the log: a command is acknowledged to the caller when the log has acknowledged it, never before."""

import asyncio
import uuid

from common import topology
from common.clock import Clock, Instant
from common.codec import encode
from common.eventlog import EventLog, Position, Record
from common.messages import Envelope, Message
from common.telemetry import traces
from common.telemetry.messaging_spans import sending


class Sender:
    """Appends commands for the aggregates of one service."""

    def __init__(self, service: str, log: EventLog, clock: Clock) -> None:
        self._topic = topology.commands(service)
        self._log = log
        self._clock = clock

    async def send(
        self, key: str, message: Message, *, actor: str, traceparent: str, correlation: str = "", causation: str = ""
    ) -> tuple[Position, Instant]:
        """Where the command stands, and the time it bears. Raises `Unavailable`: then it may or may not be in the log, and
        the caller, who gave an Idempotency-Key, may simply ask again."""
        at = self._clock()
        id = uuid.uuid4().hex
        with traces.span(f"send {self._topic}", "producer", sending(self._topic, id), traceparent) as span:
            envelope = Envelope(
                id=id,
                type=type(message).__name__,
                schema=1,
                at=at,
                actor=actor,
                correlation=correlation or key,
                causation=causation,
                traceparent=span.traceparent,
            )
            record = Record(self._topic, key, encode(message), envelope.headers())
            appended = asyncio.wrap_future(self._log.append([record]))
            (position,) = await asyncio.shield(appended)  # a caller without time may leave, the log is not disturbed
        return position, at
