"""Reads partitions ahead of whoever takes their records: one request under way at every node that leads some of them.

Isolation is read_committed (KIP-98): a broker hands out nothing past the first transaction that is still open, and names those
that were aborted; their records are left out here.

A broker answers as soon as there is one record. While records come fast it is asked to let more of them gather: an answer and
the transaction that it leads to cost as much as the dozens of records that they could have had.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kafka import errors
from kafka.protocol.consumer import FetchRequest, IsolationLevel

from common.errors import OutOfRange
from common.eventlog.kafka.batches import split
from common.eventlog.kafka.offsets import start_of
from common.eventlog.kafka.wire import Node, Place, Wire, check
from common.eventlog.port import Stored

LONGEST_WAIT = 1_000  # milliseconds that a broker holds a request back for want of records
FAST = 10  # records of one answer, after which they gather
GATHERING = 25  # milliseconds, at most
GATHERED = 64 << 10  # bytes, at most
PARTITION_BYTES = 1 << 20  # of one answer
ANSWER_BYTES = 2 << 20  # what waits to be taken has five times its size in memory
ENOUGH = 500  # records that wait to be taken: do not ask for more

_Topic = FetchRequest.FetchTopic
_Partition = _Topic.FetchPartition


class _Ahead:
    """What has come of one partition and was not taken: the records from `start` on, all up to `end`; and how far it could
    have been read then."""

    __slots__ = ("end", "records", "stable", "start")

    def __init__(self, offset: int) -> None:
        self.start = self.end = self.stable = offset
        self.records: list[Stored] = []


class Fetcher:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ahead: dict[Place, _Ahead] = {}
        self._asked: dict[Node, Collection[Place]] = {}  # requests under way
        self._trouble: Exception | None = None
        self._fast: set[Node] = set()  # from which many records came the last time

    def aim(self, place: Place, offset: int) -> None:
        """Read this partition from there, whatever was read of it before."""
        self._ahead[place] = _Ahead(offset)
        for node, places in self._asked.items():
            if places:  # its answer may be long in coming, and would not have what is wanted now
                self._wire.hang_up(node)

    def drop(self, place: Place) -> None:
        self._ahead.pop(place, None)

    def ends(self) -> Mapping[Place, int]:
        """One past the last offset that has come, markers and gaps included."""
        return {place: ahead.end for place, ahead in self._ahead.items()}

    @property
    def more(self) -> bool:
        """Whether there is something that has not come: an answer has an end, and covers one segment of a log at most."""
        return any(ahead.end < ahead.stable for ahead in self._ahead.values())

    def take(self, place: Place, room: int) -> tuple[Sequence[Stored], int]:
        """The next records of a partition, and the offset after them."""
        ahead = self._ahead[place]
        if room >= len(ahead.records):
            taken, ahead.records = ahead.records, []
            ahead.start = ahead.end
        else:
            taken, ahead.records = ahead.records[:room], ahead.records[room:]
            ahead.start = taken[-1].offset + 1
        return taken, ahead.start

    async def ask(self) -> None:
        """See to it that everything that is wanted is asked for. Raises the client's errors when nobody can be asked."""
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble
        wanted = [place for place, ahead in self._ahead.items() if len(ahead.records) < ENOUGH]
        for node, places in (await self._wire.leaders(wanted)).items():
            if node not in self._asked:
                self._asked[node] = places
                self._wire.spawn(lambda node=node, places=places: self._ask(node, places))  # type: ignore[misc]

    async def _ask(self, node: Node, places: Sequence[Place]) -> None:
        asked = {place: self._ahead[place] for place in places if place in self._ahead}
        came = 0
        try:
            offsets = {place: ahead.end for place, ahead in asked.items()}
            response = await self._wire.call(node, _request(offsets, gathering=node in self._fast))
            check(response.error_code)
            for topic in response.responses:
                for answer in topic.partitions:
                    place = topic.topic, answer.partition_index
                    ahead = asked[place]
                    if self._ahead.get(place) is ahead:  # else it was aimed elsewhere meanwhile
                        came += await self._take_in(place, ahead, answer)
        except errors.Cancelled:
            pass  # hung up
        except errors.RetriableError:
            self._wire.forget()
        except Exception as error:
            self._trouble = error
        finally:
            (self._fast.add if came >= FAST else self._fast.discard)(node)
            del self._asked[node]
            self._wire.wake()

    async def _take_in(self, place: Place, ahead: _Ahead, answer: Any) -> int:
        """How many records have come."""
        if answer.error_code == errors.OffsetOutOfRangeError.errno:
            start = await start_of(self._wire, place)
            if ahead.end >= start:
                raise OutOfRange(f"{place[0]}/{place[1]}: offset {ahead.end} is past the end; the log has lost records")
            ahead.start = ahead.end = start
            return 0
        check(answer.error_code)
        ahead.stable = answer.last_stable_offset
        aborted = sorted((each.first_offset, each.producer_id) for each in answer.aborted_transactions or ())
        aborting: set[int] = set()
        waiting = len(ahead.records)
        for batch in split(bytes(answer.records or b"")):
            while aborted and aborted[0][0] <= batch.last:
                aborting.add(aborted.pop(0)[1])
            if batch.control:
                if batch.aborts():
                    aborting.discard(batch.producer)
            elif not (batch.transactional and batch.producer in aborting):
                ahead.records += [each for each in batch.records(*place) if each.offset >= ahead.end]
            ahead.end = max(ahead.end, batch.last + 1)
        return len(ahead.records) - waiting


def _request(offsets: Mapping[Place, int], *, gathering: bool) -> Any:
    topics: dict[str, list[Any]] = {}
    for (topic, partition), offset in offsets.items():
        topics.setdefault(topic, []).append(
            _Partition(partition=partition, fetch_offset=offset, partition_max_bytes=PARTITION_BYTES)
        )
    return FetchRequest(
        max_wait_ms=GATHERING if gathering else LONGEST_WAIT,
        min_bytes=GATHERED if gathering else 1,
        max_bytes=ANSWER_BYTES,
        isolation_level=IsolationLevel.READ_COMMITTED,
        topics=[_Topic(topic=topic, partitions=partitions) for topic, partitions in topics.items()],
        max_version=12,
    )
