"""History records for tests of projections and queries: what a processor would have written, without a processor."""

from msgspec import Raw

from common import topology
from common.clock import Instant
from common.codec import Cause, EventFrame, HistoryFrame, encode
from common.eventlog import Stored, partition_of
from common.messages import Message


class History:
    """Writes the history of one aggregate: `record(event, …)` is its next record."""

    def __init__(self, service: str, key: str, *, correlation: str = "", at: Instant = 1_700_000_000_000) -> None:
        self._service = service
        self._key = key
        self._correlation = correlation or key
        self._at = at
        self._version = 0
        self._offset = -1

    def record(self, *events: Message, cause: str = "Command", kind: str = "command", schema: int = 1) -> Stored:
        self._version += len(events)
        self._offset += 1
        self._at += 10
        partition = partition_of(self._key, topology.PARTITIONS)
        frames = [EventFrame(type(event).__name__, schema, Raw(encode(event))) for event in events]
        commands = topology.commands(self._service)
        origin = Cause(kind, cause, f"in-{self._offset}", "alice", self._at, commands, partition, self._offset)
        return Stored(
            topology.events(self._service),
            partition,
            self._offset,
            self._key,
            encode(HistoryFrame(origin, self._version, frames)),
            {
                "id": f"{self._key}-{self._offset}.0",
                "type": ",".join(frame.type for frame in frames) or "Nothing",
                "schema": "1",
                "at": str(self._at),
                "actor": "alice",
                "correlation": self._correlation,
                "causation": origin.id,
                "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
            },
            self._at,
        )
