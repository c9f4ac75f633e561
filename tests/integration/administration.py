"""What the tests ask of a broker that no program of the platform ever asks."""

import time
from collections.abc import Mapping

from kafka.protocol.admin import IncrementalAlterConfigsRequest

from common.eventlog.kafka import KafkaConnection
from common.eventlog.kafka.batches import encode
from common.eventlog.kafka.transactions import Transactions
from common.eventlog.kafka.wire import Wire, check
from common.eventlog.port import Record, Topic

_Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
_Config = _Resource.AlterableConfig
_TOPIC = 2


def alter_topic(connection: KafkaConnection, topic: str, settings: Mapping[str, str]) -> None:
    configs = [_Config(name=name, config_operation=0, value=value) for name, value in settings.items()]
    resource = _Resource(resource_type=_TOPIC, resource_name=topic, configs=configs)

    async def alter() -> None:
        answer = await wire.call(None, IncrementalAlterConfigsRequest(resources=[resource], validate_only=False))
        check(answer.responses[0].error_code, answer.responses[0].error_message or "")

    wire = Wire(connection, "test")
    try:
        wire.run(alter())
    finally:
        wire.close()


def roll(connection: KafkaConnection, topic: Topic) -> None:
    """Have a new segment begun in each partition, by writing what nobody will ever see."""

    async def write_and_abort() -> None:
        transactions = Transactions(wire, f"roll-{topic.name}", bumping=True)
        await transactions.begin()
        places = [(topic.name, partition) for partition in range(topic.partitions)]
        await transactions.write(
            {place: [encode(Record(topic.name, "k", b""))] for place in places}, time.monotonic() + 5
        )
        await transactions.abort()

    wire = Wire(connection, "test")
    try:
        wire.run(write_and_abort())
    finally:
        wire.close()
