"""Whoever follows the catalog's changes is told of them, or is let go."""

from typing import NoReturn

from common.errors import Unavailable
from common.eventlog.memory import MemoryLog
from common.readmodel.memory import MemoryReadModel, MemoryView
from inventory.changes import Changes


class Away(MemoryLog):
    def end_offsets(self, topic: str) -> NoReturn:
        raise Unavailable("the log is away; try again")


async def test_a_log_that_is_away_ends_the_stream_and_makes_room_for_others() -> None:
    changes = Changes(Away(), MemoryView(MemoryReadModel()))
    for _ in range(20):
        assert [told async for told in changes.stream()] == []
