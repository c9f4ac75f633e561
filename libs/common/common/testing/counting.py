"""A projection that shows at a glance whether a read model has folded each event once."""

from collections.abc import Sequence

from common import topology
from common.codec import HistoryFrame
from common.eventlog import Stored
from common.projector import Changes, advance
from common.readmodel import Document, Entry


class Counts:
    """An order's document counts its events, and its list has one entry for each."""

    topics: Sequence[str] = (topology.events(topology.ORDER),)

    def keys(self, record: Stored) -> tuple[str]:
        return (record.key,)

    def fold(self, changes: Changes, record: Stored, frame: HistoryFrame | None) -> None:
        if frame is not None and advance(changes.documents.get(record.key), record, frame):
            changes.put(Document(record.key, frame.version, b"%d" % frame.version))
            changes.entries.append(Entry(f"list/{record.key}", f"{frame.version:09d}", b""))
