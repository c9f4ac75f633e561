"""What the tests ask of a broker that no program of the platform ever asks, and what all of them need."""

import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from kafka.protocol.admin import DeleteRecordsRequest, IncrementalAlterConfigsRequest

from common.eventlog.kafka import KafkaConnection, KafkaLog
from common.eventlog.kafka.batches import encode
from common.eventlog.kafka.transactions import Transactions
from common.eventlog.kafka.wire import Place, Wire, check
from common.eventlog.port import Record, Topic
from common.testing.eventlog_contract.engine import text

_Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
_Config = _Resource.AlterableConfig
_TOPIC = 2


def alter_topic(connection: KafkaConnection, topic: str, settings: Mapping[str, str]) -> None:
    configs = [_Config(name=name, config_operation=0, value=value) for name, value in settings.items()]
    resource = _Resource(resource_type=_TOPIC, resource_name=topic, configs=configs)

    async def alter(wire: Wire) -> None:
        answer = await wire.call(None, IncrementalAlterConfigsRequest(resources=[resource], validate_only=False))
        check(answer.responses[0].error_code, answer.responses[0].error_message or "")

    _with_wire(connection, alter)


def roll(connection: KafkaConnection, topic: Topic) -> None:
    """Have a new segment begun in each partition, by writing what nobody will ever see."""

    async def nowhere() -> set[Place]:
        return set()

    async def write_and_abort(wire: Wire) -> None:
        transactions = Transactions(wire, f"roll-{topic.name}", "roll", nowhere, bumping=True)
        await transactions.begin()
        places = [(topic.name, partition) for partition in range(topic.partitions)]
        await transactions.write(
            {place: [encode(Record(topic.name, "k", b""))] for place in places}, time.monotonic() + 5
        )
        await transactions.abort()

    _with_wire(connection, write_and_abort)


def delete_records(connection: KafkaConnection, place: Place, before: int) -> None:
    """What retention does, at once."""

    async def delete(wire: Wire) -> None:
        topic = DeleteRecordsRequest.DeleteRecordsTopic
        partition = topic.DeleteRecordsPartition(partition_index=place[1], offset=before)
        request = DeleteRecordsRequest(topics=[topic(name=place[0], partitions=[partition])], timeout_ms=5_000)
        (leader,) = await wire.leaders([place])
        answer = await wire.call(leader, request)
        check(answer.topics[0].partitions[0].error_code)

    _with_wire(connection, delete)


def _with_wire(connection: KafkaConnection, work: Callable[[Wire], Coroutine[Any, Any, None]]) -> None:
    wire = Wire(connection, "test")
    try:
        wire.run(work(wire))
    finally:
        wire.close()


def fresh(partitions: int = 1) -> Topic:
    return Topic(f"t-{uuid.uuid4().hex}", partitions)


def values(log: KafkaLog, topic: str, partition: int = 0) -> list[str]:
    reader = log.reader({(topic, partition): 0})
    try:
        found: list[str] = []
        end = log.end_offsets(topic)[partition]
        while reader.positions()[topic, partition] < end:
            found += [text(each) for each in reader.poll(0.1)]
        return found
    finally:
        reader.close()
