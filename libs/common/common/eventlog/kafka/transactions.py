"""Transactions that survive their own client: every one has an epoch of its own, so nothing of an earlier one reaches into it.

Up to transaction.version 1 a producer keeps its epoch from one transaction to the next. A request to end transaction 1 that
was sent again after a lost connection, the first copy still under way, then ends transaction 2: half of it is lost, or what
was to be aborted becomes visible (KIP-890). EndTxn version 5 answers with the next epoch. What
comes late is of an older one, and refused.

A transaction is short: all of it is sent when it is complete. Its records first, then the offsets under the member's ticket
(KIP-447), then the end. So whoever is frozen between two of these steps holds an offset that its successor has to wait for.

A broker that starts may leave out the end of a transaction in a partition whose leader is not chosen yet, which it takes for
deleted (4.3.1, seen where the only broker was killed). Nobody reads on past it there, and the next one that writes there
decides for both. So nothing is begun on a new connection to the coordinator before it was asked how the last one ended, whoever
began that, and that one is ended once more: by an empty one, wherever something is open.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Set
from functools import partial
from typing import Any, TypeVar

import structlog
from kafka import errors
from kafka.protocol.producer import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    TxnOffsetCommitRequest,
)

from common.errors import Fenced, LogError, Unavailable
from common.eventlog.kafka.aftermath import MAKING_UP, Last, learn
from common.eventlog.kafka.membership import Ticket
from common.eventlog.kafka.producing import Encoded, Producer
from common.eventlog.kafka.wire import GROUP, TRANSACTION, Place, Wire, check

T = TypeVar("T")

TIMEOUT = 10.0  # seconds after which the broker aborts a transaction whose producer is silent
COMPLETING = 0.02  # seconds in which a broker may still be at the one before; it would have the next wait just as long
ABORT_PATIENCE = 1.0  # seconds; the broker would do it too
PATIENCE = 5.0  # seconds to try; less than that, so that the broker never aborts under our hands

_REFUSED = (
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
    errors.FencedInstanceIdError,
    errors.FencedMemberEpochError,
    errors.StaleMemberEpochError,
)
_FENCED = (
    errors.ProducerFencedError,
    errors.InvalidProducerEpochError,
    errors.InvalidTxnStateError,
    errors.InvalidProducerIdMappingError,
)

_MOVED = (
    errors.NotCoordinatorError,
    errors.CoordinatorNotAvailableError,
    errors.CoordinatorLoadInProgressError,
)

_Topic = TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic
_Partition = _Topic.TxnOffsetCommitRequestPartition
_Added = AddPartitionsToTxnRequest.AddPartitionsToTxnTopic

_log = structlog.get_logger("eventlog")


class _OutcomeUnknown(errors.KafkaError):  # type: ignore[misc]
    """The connection was lost after the end was sent."""


class _Elsewhere(errors.KafkaError):  # type: ignore[misc]
    """The coordinator is not, or may not be, the one that was asked how the last transaction ended."""


class Transactions:
    """The transactions of one id, one after the other, on behalf of a group's member. `bumping`: the broker gives each an epoch
    of its own. `open_places`: where an id like this may write, and some transaction is open."""

    def __init__(
        self,
        wire: Wire,
        transactional_id: str,
        group: str,
        open_places: Callable[[], Awaitable[Set[Place]]],
        *,
        bumping: bool,
    ) -> None:
        self._wire = wire
        self._id = transactional_id
        self._group = group
        self._open_places = open_places
        self._bumping = bumping
        self._producer = Producer(wire, transactional_id)
        self._ended_at = 0.0  # time.monotonic
        self._line: object = None  # the connection to the coordinator on which it said how the last one ended
        self.sound = False  # nothing is open, and nothing of unknown outcome

    async def begin(self) -> None:
        """Fence whoever used the id before; what it had prepared to commit is committed, what was open is aborted."""
        until = time.monotonic() + PATIENCE
        self.sound = False
        try:
            await self._wire.persist(lambda: self._begin(until), until)
        except _FENCED as error:
            raise Fenced(f"{self._id}: a successor has taken over") from error
        self.sound = True

    async def _begin(self, until: float) -> None:
        try:
            self._line = await self._find_line()
            if self._bumping:  # an older broker is degraded anyway
                last = await learn(self._wire, self._id)
                if last is not None:
                    await self._make_up_for(last, until)
            await self._here(lambda: self._producer.begin(int(TIMEOUT * 1000)), until)
        except _Elsewhere as error:
            raise errors.NotCoordinatorError(self._id) from error  # so begin again

    async def _make_up_for(self, last: Last, until: float) -> None:
        """End it once more, now that leaders are chosen everywhere: the ends of partitions are asked of them, and a group's
        coordinator is one."""
        places = await self._open_places()
        self._wire.forget()
        await self._wire.coordinator(GROUP, self._group)
        if last.under_way is None:
            await self._here(lambda: self._producer.begin(MAKING_UP[last.committed]), until)
        else:  # to begin would abort it
            self._producer.become(last.under_way)
        if places:
            await self._here(lambda: self._announce(places), until)
        await self._here(self._announce_offsets, until)
        await self._end(committed=last.committed, until=until)

    async def _find_line(self) -> object:
        return await self._wire.line(TRANSACTION, self._id)

    async def _here(self, attempt: Callable[[], Awaitable[T]], until: float) -> T:
        """Try again what may pass, but say nothing to a coordinator that was not asked first: raises _Elsewhere."""

        async def guarded() -> T:
            if self._line is not await self._find_line():
                raise _Elsewhere(self._id)
            try:
                return await attempt()
            except _MOVED:
                self._line = None
                raise

        return await self._wire.persist(guarded, until)

    async def commit(
        self, records: Mapping[Place, Encoded], offsets: Mapping[Place, int], ticket: Ticket
    ) -> dict[Place, list[int]]:
        """The offset of each record, by partition. Raises `Fenced` when nothing was committed, for good, and `Unavailable`
        when it is not known. Unless `sound`, begin again."""
        until = time.monotonic() + PATIENCE
        if self._line is not await self._wire.persist(self._find_line, until):
            await self.begin()
        try:
            written = await self.write(records, until)
            await self._send_offsets(offsets, ticket, until)
        except errors.KafkaError as error:
            raise await self._give_up(error) from error
        try:
            await self._end(committed=True, until=until)
        except _FENCED as error:
            raise Fenced(f"{self._id}: a successor has taken over; nothing was written") from error
        except errors.KafkaError as error:
            raise Unavailable(f"{self._id}: it is unknown whether the transaction is committed: {error!r}") from error
        return written

    async def write(self, records: Mapping[Place, Encoded], until: float) -> dict[Place, list[int]]:
        """The first half of a commit, until (time.monotonic). It is open then, and nobody reads on past it."""
        self.sound = False
        implicit = self._bumping and time.monotonic() > self._ended_at + COMPLETING
        if records and not implicit:
            await self._here(lambda: self._announce(records.keys()), until)
        return await self._producer.write(records, partial(self._here, until=until), version=12 if implicit else 11)

    async def abort(self) -> None:
        await self._end(committed=False, until=time.monotonic() + ABORT_PATIENCE)

    async def _give_up(self, error: errors.KafkaError) -> LogError:
        """Abort, so that readers need not wait for the timeout. Returns what to raise."""
        if isinstance(error, _FENCED):
            return Fenced(f"{self._id}: a successor has taken over; nothing was written")
        try:
            await self.abort()
        except errors.KafkaError as failure:
            _log.warning("abort failed, the broker will do it", transaction=self._id, error=repr(failure))
        if isinstance(error, _REFUSED):
            return Fenced(f"{self._id}: not a member of its group any more; nothing was written")
        return Unavailable(f"{self._id}: the transaction was given up: {error!r}; nothing was written")

    async def _announce(self, places: Set[Place]) -> None:
        """What a broker that bumps the epoch learns from the writes too. But while it is still at the transaction before, it
        lets a write wait, and answers to this at once."""
        producer, epoch = self._producer.identity
        topics: dict[str, list[int]] = {}
        for topic, partition in places:
            topics.setdefault(topic, []).append(partition)
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self._id,
            v3_and_below_producer_id=producer,
            v3_and_below_producer_epoch=epoch,
            v3_and_below_topics=[_Added(name=name, partitions=partitions) for name, partitions in topics.items()],
            max_version=3,
        )
        answer = await self._wire.call(await self._wire.coordinator(TRANSACTION, self._id), request)
        for topic in answer.results_by_topic_v3_and_below:
            for each in topic.results_by_partition:
                check(each.partition_error_code, f"{topic.name}/{each.partition_index}")

    async def _announce_offsets(self) -> None:
        producer, epoch = self._producer.identity
        request = AddOffsetsToTxnRequest(
            transactional_id=self._id, producer_id=producer, producer_epoch=epoch, group_id=self._group, max_version=3
        )
        answer = await self._wire.call(await self._wire.coordinator(TRANSACTION, self._id), request)
        check(answer.error_code)

    async def _send_offsets(self, offsets: Mapping[Place, int], ticket: Ticket, until: float) -> None:
        if not self._bumping:
            await self._here(self._announce_offsets, until)
        producer, epoch = self._producer.identity
        topics: dict[str, list[Any]] = {}
        for (topic, partition), offset in offsets.items():
            topics.setdefault(topic, []).append(
                _Partition(partition_index=partition, committed_offset=offset, committed_metadata="")
            )

        async def attempt() -> None:
            request = TxnOffsetCommitRequest(
                transactional_id=self._id,
                group_id=self._group,
                producer_id=producer,
                producer_epoch=epoch,
                generation_id=ticket.generation,
                member_id=ticket.member,
                group_instance_id=ticket.name,
                topics=[_Topic(name=name, partitions=partitions) for name, partitions in topics.items()],
                min_version=3,
                max_version=5 if self._bumping else 4,
            )
            answer = await self._wire.call(await self._wire.coordinator(GROUP, self._group), request)
            for topic in answer.topics:
                for each in topic.partitions:
                    check(each.error_code, f"{topic.name}/{each.partition_index}")

        await self._here(attempt, until)

    async def _end(self, *, committed: bool, until: float) -> None:
        """Sent again if need be: under the epoch of one transaction it can end no other. Without such an epoch it is sent
        once, and a lost answer leaves the outcome unknown."""
        producer, epoch = self._producer.identity

        async def attempt() -> Any:
            request = EndTxnRequest(
                transactional_id=self._id,
                producer_id=producer,
                producer_epoch=epoch,
                committed=committed,
                max_version=5 if self._bumping else 4,
            )
            node = await self._wire.coordinator(TRANSACTION, self._id)
            try:
                answer = await self._wire.call(node, request)
            except errors.RetriableError as error:
                if self._bumping:
                    raise
                raise _OutcomeUnknown(repr(error)) from None
            check(answer.error_code)
            return answer

        answer = await (self._wire.persist if committed else self._here)(attempt, until)
        if self._bumping:
            self._producer.become((answer.producer_id, answer.producer_epoch))
        self._ended_at = time.monotonic()
        self.sound = True
