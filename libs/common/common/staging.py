"""What one step of a processor decided, not yet committed: records to write and states to keep if they are written."""

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec
import structlog

from common import topology, tracecontext
from common.answers import Answer
from common.checkpoint import Aggregate, Shard
from common.clock import Instant
from common.codec import Cause, EventFrame, HistoryFrame, Sent, encode
from common.decider import Behaviour, Decision, Input
from common.errors import MessageError
from common.eventlog import Record, Stored, partition_of
from common.messages import Envelope, Request
from common.telemetry import keeping
from common.telemetry.messaging_spans import Decided
from common.watching import Move

S = TypeVar("S")

LARGEST_RECORD = 1_000_000  # bytes; Kafka's default max.message.bytes is a little more

_log = structlog.get_logger("processor")


class Staged(Generic[S]):
    """The decisions of one step, staged: nothing of it is in the processor before the commit."""

    def __init__(self, behaviour: Behaviour[S], shards: Mapping[int, Shard[S]], partitions: int, now: Instant) -> None:
        self.now = now
        self.records: list[Record] = []
        self.aggregates: dict[tuple[int, str], Aggregate[S]] = {}
        self.fired: list[tuple[int, str]] = []
        self.moves: list[Move[S]] = []
        self.inputs = 0
        self.decided: list[Decided] = []
        self._behaviour = behaviour
        self._shards = shards
        self._partitions = partitions
        self._actor = f"service:{behaviour.service}"
        self._history = topology.events(behaviour.service)

    def consume(self, record: Stored) -> None:
        self.inputs += 1
        begun = len(self.decided)
        try:
            if partition_of(record.key, self._partitions) != record.partition:
                raise MessageError(
                    f"key {record.key!r} does not belong into this partition: its state lives in another"
                )
            envelope = Envelope.of(record.headers)
            kind = "reply" if envelope.type in self._behaviour.replies else "command"
            cause = Cause(
                kind,
                envelope.type,
                envelope.id,
                envelope.actor,
                envelope.at,
                record.topic,
                record.partition,
                record.offset,
            )
            stem = f"{record.topic}-{record.partition}-{record.offset}"
            envelope = self._begin(cause, envelope)
            message = self._behaviour.commands.decode(envelope.type, envelope.schema, record.value or b"")
            self._decide(record.partition, Input(record.key, message, envelope), cause, stem)
        except MessageError as error:
            self._bury(record, str(error), begun)
        except (KeyError, ValueError) as error:
            self._bury(record, f"headers are no envelope: {error!r}", begun)
        except (
            Exception
        ) as error:  # a bug in decide must not stop the partition: the input waits for a repaired program
            _log.exception("decide failed", service=self._behaviour.service, key=record.key)
            self._bury(record, f"decide failed: {error!r}", begun)

    def fire(self, partition: int, key: str) -> None:
        aggregate = self._aggregate(partition, key)
        wake = self._behaviour.wake(aggregate.state) if aggregate else None
        if aggregate is None or wake is None or wake.at > self.now:
            return  # a stale entry: whoever moved the timer put a new one
        self.inputs += 1
        self.fired.append((partition, key))
        stem = f"{self._behaviour.service}.timer-{key}-{aggregate.version}"
        name = type(wake.timer).__name__
        envelope = Envelope(stem, name, 1, self.now, self._actor, key, causation=stem, traceparent=aggregate.trace)
        self._take(partition, Input(key, wake.timer, envelope), "timer")

    def hear(self, partition: int, answer: Answer) -> None:
        self.inputs += 1
        aggregate = self._aggregate(partition, answer.key)
        stem = f"{self._behaviour.service}.answer-{answer.key}-{aggregate.version if aggregate else 0}"
        envelope = Envelope(
            stem,
            type(answer.message).__name__,
            1,
            answer.at,
            answer.actor,
            answer.key,
            causation=answer.effect,
            traceparent=answer.traceparent,
        )
        self._take(partition, Input(answer.key, answer.message, envelope), "reply")

    def committed(self) -> None:
        """What was decided is a fact: it may be told."""
        with keeping.together():
            for decided in self.decided:
                decided.committed()
        tracecontext.enter("")

    def aborted(self, error: BaseException) -> None:
        with keeping.together():
            for decided in self.decided:
                decided.aborted(error)
        tracecontext.enter("")

    def _take(self, partition: int, given: Input, kind: str) -> None:
        """An input that has no place in the log."""
        said = given.envelope
        cause = Cause(kind, said.type, said.id, said.actor, said.at)
        envelope = self._begin(cause, said)
        try:
            self._decide(partition, Input(given.key, given.message, envelope), cause, said.id)
        except Exception as error:
            _log.exception("decide failed", service=self._behaviour.service, key=given.key, kind=kind)
            self.decided[-1].buried(f"decide failed: {error!r}")
            headers = {**envelope.headers(), "dead_reason": f"decide failed: {error!r}", "dead_topic": ""}
            topic = topology.dead_letters(self._behaviour.service)
            self.records.append(Record(topic, given.key, encode(given.message), headers))

    def _begin(self, cause: Cause, envelope: Envelope) -> Envelope:
        """From here on all that it causes belongs to a span of its own."""
        decided = Decided(cause, envelope)
        self.decided.append(decided)
        return msgspec.structs.replace(envelope, traceparent=decided.traceparent)

    def _aggregate(self, partition: int, key: str) -> Aggregate[S] | None:
        staged = self.aggregates.get((partition, key))
        if staged is not None:
            return staged
        shard = self._shards.get(partition)
        return shard.aggregates.get(key) if shard else None

    def _decide(self, partition: int, given: Input, cause: Cause, stem: str) -> None:
        before = self._aggregate(partition, given.key)
        version, known = (before.version, before.state) if before else (0, self._behaviour.initial)
        state = known
        decision = self._behaviour.handle(known, given, self.now)
        for event in decision.events:
            state = self._behaviour.evolve(state, event, self.now)
        version += len(decision.events)
        envelope = given.envelope
        records = [self._history_record(given, decision, cause, version, stem)]
        records += [
            self._request_record(request, envelope, f"{stem}.{number}")
            for number, request in enumerate(decision.requests, 1)
        ]
        too_large = max(len(record.value or b"") for record in records)
        if too_large > LARGEST_RECORD:
            raise MessageError(f"a record of {too_large} bytes would be written; at most {LARGEST_RECORD} may be")
        self.records += records
        steps = self._behaviour.step(known), self._behaviour.step(state)
        self.decided[-1].decided(decision.events, self._outcome(decision), *steps)
        if decision.events:
            finished = self._behaviour.forget_at(state) is not None  # it has no timer or effect that would need a trace
            shared = envelope.correlation != given.key  # its timers are about many conversations, and so about none
            trace = "" if finished or shared else envelope.traceparent
            self.aggregates[(partition, given.key)] = Aggregate(version, state, trace)
            asked_at, trace = envelope.at, envelope.traceparent
            self.moves.append(Move(partition, given.key, decision.events, known, state, asked_at, self.now, trace))

    def _outcome(self, decision: Decision) -> str:
        ends = (self._behaviour.outcomes.get(type(event).__name__, "") for event in reversed(decision.events))
        return next(filter(None, ends), "")

    def _history_record(self, given: Input, decision: Decision, cause: Cause, version: int, stem: str) -> Record:
        frames = [
            EventFrame(name := type(event).__name__, self._behaviour.events.version(name), msgspec.Raw(encode(event)))
            for event in decision.events
        ]
        sent = [Sent(type(r.message).__name__, r.topic, r.key) for r in decision.requests]
        envelope = msgspec.structs.replace(
            given.envelope,
            id=f"{stem}.0",
            type=",".join(frame.type for frame in frames) or "Nothing",
            schema=1,
            at=self.now,
            causation=given.envelope.id,
            reply_to="",
        )
        value = encode(HistoryFrame(cause, version, frames, sent))
        return Record(self._history, given.key, value, envelope.headers())

    def _request_record(self, request: Request, cause: Envelope, id: str) -> Record:
        name = type(request.message).__name__
        headers = {
            "id": id,
            "type": name,
            "schema": "1",
            "at": str(self.now),
            "actor": self._actor,
            "correlation": cause.correlation,
            "causation": cause.id,
        }
        if request.reply_to:
            headers["reply_to"] = request.reply_to
        if cause.traceparent:
            headers["traceparent"] = cause.traceparent
        return Record(request.topic, request.key, encode(request.message), headers)

    def _bury(self, record: Stored, reason: str, begun: int) -> None:
        """Set a poison message aside with its reason; its partition moves on."""
        for decided in self.decided[begun:]:
            decided.buried(reason)
        headers = {
            **record.headers,
            "dead_reason": reason[:1000],
            "dead_topic": record.topic,
            "dead_partition": str(record.partition),
            "dead_offset": str(record.offset),
        }
        topic = topology.dead_letters(self._behaviour.service)
        self.records.append(Record(topic, record.key, record.value, headers))
