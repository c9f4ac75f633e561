"""Topics with settings that are fixed for life: created once, by whoever comes first, and compared by all others."""

import time
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any
from uuid import UUID

from kafka import errors
from kafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest

from common.errors import LogError, UnknownTopic
from common.eventlog.kafka import offsets
from common.eventlog.kafka.wire import Place, Wire, check
from common.eventlog.port import Cleanup, Record, Topic, partition_of

PATIENCE = 30.0  # seconds until all brokers know a new topic
TOPIC_RESOURCE = 2
WRITE = 4  # the number of the operation in the protocol

LARGEST_KEPT = 16 << 20  # of topics without retention; others take a little more than a megabyte, as Kafka does
SEGMENT_BYTES = 16 << 20  # of compacted topics: only whole segments are compacted, and a restore reads what is not

_New = CreateTopicsRequest.CreatableTopic
_Config = _New.CreatableTopicConfig
_Described = DescribeConfigsRequest.DescribeConfigsResource


def settings(topic: Topic, replication: int) -> dict[str, str]:
    """Those that matter for correctness; `at` is when the log took a record, so the broker's clock sets it."""
    found = {
        "cleanup.policy": topic.cleanup.value,
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    if topic.cleanup is Cleanup.DELETE:
        found["retention.ms"] = str(-1 if topic.retention is None else topic.retention)
    return found


def tuning(topic: Topic) -> dict[str, str]:
    """Those that one may change later. Who may write to a topic that is kept writes what has come of a message in another,
    its dead letter for one: it has to fit, or the message blocks its partition for ever."""
    found = {} if topic.retention is not None else {"max.message.bytes": str(LARGEST_KEPT)}
    if topic.cleanup is Cleanup.COMPACT:
        found |= {"segment.bytes": str(SEGMENT_BYTES), "min.cleanable.dirty.ratio": "0.3"}
    return found


class Catalog:
    """What is known of the topics of one cluster: asked for once, and again for a name that is not there."""

    def __init__(self, replication: int) -> None:
        self._replication = replication
        self._topics: dict[str, Topic] = {}
        self._ids: dict[str, UUID] = {}

    async def create(self, wire: Wire, wanted: Sequence[Topic]) -> None:
        until = time.monotonic() + PATIENCE
        names = [topic.name for topic in wanted]
        there = {each.name for each in await wire.describe(names) if not each.error_code}
        missing = [topic for topic in wanted if topic.name not in there]
        if missing:
            await wire.persist(lambda: self._create(wire, missing), until)
            places = [(topic.name, partition) for topic in missing for partition in range(topic.partitions)]
            await wire.persist(lambda: offsets.starts(wire, places), until)  # a leader is named before it serves
        await wire.persist(lambda: self.load(wire, names), until)
        configs = await _configs(wire, names)
        wrong = [
            difference
            for topic in wanted
            for difference in _differences(topic, self._topics[topic.name], configs[topic.name], self._replication)
        ]
        if wrong:
            raise LogError(f"{'; '.join(wrong)}: settings are for life; use these, or another name")

    async def _create(self, wire: Wire, missing: Sequence[Topic]) -> None:
        request = CreateTopicsRequest(
            topics=[
                _New(
                    name=topic.name,
                    num_partitions=topic.partitions,
                    replication_factor=self._replication,
                    assignments=[],
                    configs=[
                        _Config(name=name, value=value)
                        for name, value in {**settings(topic, self._replication), **tuning(topic)}.items()
                    ],
                )
                for topic in missing
            ],
            timeout_ms=int(PATIENCE * 1000),
        )
        for each in (await wire.call(None, request)).topics:
            if each.error_code != errors.TopicAlreadyExistsError.errno:  # another process was faster
                check(each.error_code, f"{each.name}: {each.error_message}")

    async def load(self, wire: Wire, names: Collection[str] | None = None) -> Mapping[str, Topic]:
        """Ask for these topics, or for all."""
        described = [each for each in await wire.describe(names) if not each.is_internal]
        for each in described:
            check(each.error_code, each.name)
        configs = await _configs(wire, [each.name for each in described])
        for each in described:
            self._ids[each.name] = each.topic_id
            self._topics[each.name] = _topic(each.name, len(each.partitions), configs[each.name])
        return self._topics

    async def topic(self, wire: Wire, name: str) -> Topic:
        """Raises UnknownTopic."""
        if name not in self._topics:
            try:
                await self.load(wire, [name])
            except (errors.UnknownTopicOrPartitionError, errors.InvalidTopicError):
                raise UnknownTopic(f"topic {name}: was never created; create it before use") from None
        return self._topics[name]

    def topic_id(self, name: str) -> UUID:
        return self._ids[name]

    async def places(self, wire: Wire, name: str) -> list[Place]:
        return [(name, partition) for partition in range((await self.topic(wire, name)).partitions)]

    async def open_places(self, wire: Wire) -> Set[Place]:
        """Where a transaction is open, of anybody's, among the known topics that the user of the connection may write to."""
        described = await wire.describe(self._topics, rights=True)
        writable = [each for each in described if WRITE in each.authorized_operations]
        places = [(topic.name, each.partition_index) for topic in writable for each in topic.partitions]
        written = await offsets.ends(wire, places, stable=False)
        visible = await offsets.ends(wire, places, stable=True)
        return {place for place in places if visible[place] < written[place]}

    async def place(self, wire: Wire, record: Record) -> Place:
        """Where the record goes. Raises LogError."""
        await self.topic(wire, record.topic)
        return self.known(record) or ("", 0)

    def known(self, record: Record) -> Place | None:
        """The same without asking anybody; None when that is needed. Raises LogError."""
        topic = self._topics.get(record.topic)
        if topic is None:
            return None
        partitions, partition = topic.partitions, record.partition
        if partition is None:
            return record.topic, partition_of(record.key, partitions)
        if not 0 <= partition < partitions:
            raise LogError(f"topic {record.topic}: no partition {partition}, it has {partitions}")
        return record.topic, partition


async def copies_missing(wire: Wire) -> int:
    """Replicas that are not in sync, by the controller's word."""
    partitions = [partition for topic in await wire.describe(None) for partition in topic.partitions]
    return sum(len(each.replica_nodes) - len(each.isr_nodes) for each in partitions)


async def _configs(wire: Wire, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [_Described(resource_type=TOPIC_RESOURCE, resource_name=name, configuration_keys=None) for name in names]
    answer = await wire.call(None, DescribeConfigsRequest(resources=asked))
    found: dict[str, dict[str, str]] = {}
    for each in answer.results:
        check(each.error_code, each.error_message or "")
        found[each.resource_name] = {config.name: config.value for config in each.configs}
    return found


def _topic(name: str, partitions: int, configs: Mapping[str, str]) -> Topic:
    cleanup = Cleanup.COMPACT if "compact" in configs["cleanup.policy"] else Cleanup.DELETE
    retention = int(configs["retention.ms"])
    return Topic(name, partitions, cleanup, None if retention < 0 or cleanup is Cleanup.COMPACT else retention)


def _differences(topic: Topic, found: Topic, configs: Mapping[str, Any], replication: int) -> list[str]:
    wrong = [
        f"{name}={configs[name]} instead of {value}"
        for name, value in settings(topic, replication).items()
        if configs[name] != value
    ]
    if found.partitions != topic.partitions:
        wrong.append(f"{found.partitions} partitions instead of {topic.partitions}")
    return [f"topic {topic.name} has {difference}" for difference in wrong]
