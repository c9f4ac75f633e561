"""Writes batches so that none is in the log twice or out of order, however often it has to be sent (KIP-98).

Producer id, epoch and a sequence number for each partition let a broker recognize what it has already.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kafka import errors
from kafka.protocol.producer import InitProducerIdRequest, ProduceRequest

from common.eventlog.kafka import batches
from common.eventlog.kafka.wire import TRANSACTION, Place, Wire, check

BATCH_BYTES = 900_000  # Kafka's default max.message.bytes is a little more than a million

_Topic = ProduceRequest.TopicProduceData
_Partition = _Topic.PartitionProduceData

Encoded = Sequence[bytes]
Persist = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]  # how an attempt is made again


class Producer:
    """`transactional_id` None: outside of any transaction. One thread uses it."""

    def __init__(self, wire: Wire, transactional_id: str | None) -> None:
        self._wire = wire
        self._transactional_id = transactional_id
        self._sequences: dict[Place, int] = {}
        self.identity = (-1, -1)  # producer id and epoch

    async def begin(self, transaction_timeout: int = 0) -> None:
        """Get an identity. With a transactional id, that fences whoever had it before and ends its transaction. Those to come
        may take `transaction_timeout` milliseconds."""
        node = await self._wire.coordinator(TRANSACTION, self._transactional_id) if self._transactional_id else None
        request = InitProducerIdRequest(
            transactional_id=self._transactional_id,
            transaction_timeout_ms=transaction_timeout,
            max_version=4,
        )
        response = await self._wire.call(node, request)
        check(response.error_code, self._transactional_id or "")
        self.become((response.producer_id, response.producer_epoch))

    def become(self, identity: tuple[int, int]) -> None:
        self.identity = identity
        self._sequences.clear()

    async def write(
        self, records: Mapping[Place, Encoded], persist: Persist, *, version: int
    ) -> dict[Place, list[int]]:
        """The offset of each record, by partition. After an error it is unknown what is written: get a new identity."""
        offsets: dict[Place, list[int]] = {place: [] for place in records}
        left = dict(records)
        while left:
            now = {place: encoded[: _fitting(encoded)] for place, encoded in left.items()}
            left = {place: rest for place, encoded in left.items() if (rest := encoded[len(now[place]) :])}
            raw = {place: self._batch(place, encoded) for place, encoded in now.items()}
            for place, first in (await self._deliver(raw, persist, version)).items():
                offsets[place] += range(first, first + len(now[place]))
        return offsets

    def _batch(self, place: Place, encoded: Encoded) -> bytes:
        sequence = self._sequences.get(place, 0)
        self._sequences[place] = sequence + len(encoded) & 0x7FFFFFFF
        return batches.batch(
            encoded,
            producer=self.identity,
            sequence=sequence,
            transactional=self._transactional_id is not None,
            at=int(time.time() * 1000),
        )

    async def _deliver(self, raw: dict[Place, bytes], persist: Persist, version: int) -> dict[Place, int]:
        """Until every batch is acknowledged. What is sent again is the same to the byte."""
        found: dict[Place, int] = {}

        async def attempt() -> None:
            missing = [place for place in raw if place not in found]
            failure: errors.KafkaError | None = None
            sent = [
                self._wire.send(node, self._request({place: raw[place] for place in places}, version))
                for node, places in (await self._wire.leaders(missing)).items()
            ]
            for answer in sent:
                try:
                    for topic in (await answer).responses:
                        for each in topic.partition_responses:
                            place = topic.name, each.index
                            if each.error_code:
                                failure = _worse(failure, errors.for_code(each.error_code)(str(place)))
                            else:
                                found[place] = each.base_offset
                except errors.KafkaError as error:
                    failure = _worse(failure, error)
            if failure is not None:
                raise failure

        await persist(attempt)
        return found

    def _request(self, raw: Mapping[Place, bytes], version: int) -> Any:
        topics: dict[str, list[Any]] = {}
        for (topic, partition), records in raw.items():
            topics.setdefault(topic, []).append(_Partition(index=partition, records=records))
        return ProduceRequest(
            transactional_id=self._transactional_id,
            acks=-1,  # all replicas in sync
            timeout_ms=5_000,
            topic_data=[_Topic(name=name, partition_data=partitions) for name, partitions in topics.items()],
            max_version=version,
        )


def _worse(one: errors.KafkaError | None, other: errors.KafkaError) -> errors.KafkaError:
    """Of two failures the one that will not pass."""
    return one if one is not None and not isinstance(one, errors.RetriableError) else other


def _fitting(encoded: Encoded) -> int:
    """How many of them make one batch; one at least."""
    size = 0
    for number, each in enumerate(encoded):
        size += len(each) + 12
        if number and size > BATCH_BYTES:
            return number
    return len(encoded)
