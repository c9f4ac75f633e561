"""Where partitions start and end, and how far groups have come."""

from collections.abc import Collection, Mapping

from kafka.protocol.consumer import (
    IsolationLevel,
    ListOffsetsRequest,
    OffsetFetchRequest,
    OffsetSpec,
)

from common.eventlog.kafka.wire import GROUP, Place, Wire, check

_Topic = ListOffsetsRequest.ListOffsetsTopic
_Partition = _Topic.ListOffsetsPartition
_Group = OffsetFetchRequest.OffsetFetchRequestGroup
_GroupTopic = _Group.OffsetFetchRequestTopics

UNSTABLE = 88  # the error of an offset that a transaction under way may move


async def starts(wire: Wire, places: Collection[Place]) -> dict[Place, int]:
    return await _listed(wire, places, OffsetSpec.EARLIEST, IsolationLevel.READ_UNCOMMITTED)


async def start_of(wire: Wire, place: Place) -> int:
    return (await starts(wire, [place]))[place]


async def ends(wire: Wire, places: Collection[Place], *, stable: bool) -> dict[Place, int]:
    """One past the last record; `stable`: only as far as no transaction is open."""
    isolation = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
    return await _listed(wire, places, OffsetSpec.LATEST, isolation)


async def _listed(
    wire: Wire, places: Collection[Place], what: OffsetSpec, isolation: IsolationLevel
) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for node, led in (await wire.leaders(places)).items():
        topics: dict[str, list[int]] = {}
        for topic, partition in led:
            topics.setdefault(topic, []).append(partition)
        request = ListOffsetsRequest(
            replica_id=-1,
            isolation_level=isolation,
            topics=[
                _Topic(name=name, partitions=[_Partition(partition_index=each, timestamp=what) for each in partitions])
                for name, partitions in topics.items()
            ],
            timeout_ms=5_000,
        )
        for answer in (await wire.call(node, request)).topics:
            for each in answer.partitions:
                check(each.error_code, f"{answer.name}/{each.partition_index}")
                found[answer.name, each.partition_index] = each.offset
    return found


async def committed(
    wire: Wire, group: str, topic: str, partitions: Collection[int]
) -> tuple[Mapping[int, int], Collection[int]]:
    """(partition -> next offset where there is one, the partitions whose offset a transaction under way may still move)."""
    request = OffsetFetchRequest(
        groups=[_Group(group_id=group, topics=[_GroupTopic(name=topic, partition_indexes=sorted(partitions))])],
        require_stable=True,
        min_version=8,
        max_version=9,
    )
    (answer,) = (await wire.call(await wire.coordinator(GROUP, group), request)).groups
    check(answer.error_code, group)
    known: dict[int, int] = {}
    moving: list[int] = []
    for found in answer.topics:
        for each in found.partitions:
            if each.error_code == UNSTABLE:
                moving.append(each.partition_index)
            else:
                check(each.error_code, f"{group} of {topic}/{each.partition_index}")
                if each.committed_offset >= 0:
                    known[each.partition_index] = each.committed_offset
    return known, moving
