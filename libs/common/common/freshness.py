"""Makes a read as fresh as its caller asked: the consistency level of each read is the caller's choice, and its price.

    eventual  at once, whatever the read model shows; a cache may answer
    session   not older than the write that the caller's Consistency-Token names; without a token, at once
    strong    not older than anything that was acknowledged to anybody before this read began (linearizable)

A strong read notes where the log ends (Raft's read index: Ongaro, "Consensus: Bridging Theory and Practice", 2014, 6.4), waits
until the processor has decided what is before it, and then until the read model has folded the events of that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from common import topology
from common.consistency import PATIENCE, Asked, Level, late, wait_for
from common.eventlog import EventLog, partition_of
from common.readmodel import View

_TICK = 0.02  # seconds: a command that leaves nothing to fold rings no bell

Reached = Callable[[], Awaitable[Mapping[int, int]]]  # partition -> the first offset that is not reached yet


class Freshness:
    """Of the reads of one service."""

    def __init__(self, service: str, view: View, log: EventLog) -> None:
        self._service = service
        self._view = view
        self._log = log

    async def meet(self, asked: Asked, key: str | None = None) -> None:
        """Return when a read is as fresh as `asked`; of the aggregate `key`, or of all of them. Raises Problem 503 with
        Retry-After when the read model is late, Unavailable when a strong read cannot ask the log."""
        if asked.level is Level.STRONG:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._past_end(topology.commands(self._service), key, self._decided)
                    await self._past_end(topology.events(self._service), key, self._folded)
            except TimeoutError:
                raise late() from None
        elif asked.level is Level.SESSION and asked.token is not None and asked.token.service == self._service:
            await wait_for(self._view, asked.token)

    async def _past_end(self, topic: str, key: str | None, reached: Reached) -> None:
        """Return when `reached` is past every record that `topic` has now."""
        missing = await asyncio.to_thread(self._last_records, topic, key, await reached())
        while missing:
            await self._view.changed(f"{topic}/{next(iter(missing))}", _TICK)
            done = await reached()
            missing = {partition: last for partition, last in missing.items() if done.get(partition, 0) <= last}

    async def _decided(self) -> Mapping[int, int]:
        commands, group = topology.commands(self._service), topology.processor_group(self._service)
        return await asyncio.to_thread(lambda: self._log.committed(commands, group=group))

    async def _folded(self) -> Mapping[int, int]:
        prefix = f"{topology.events(self._service)}/"
        positions = await self._view.positions()
        return {int(name[len(prefix) :]): next for name, next in positions.items() if name.startswith(prefix)}

    def _last_records(self, topic: str, key: str | None, done: Mapping[int, int]) -> Mapping[int, int]:
        """The offset of the last record of each partition that has one beyond `done`. An engine's offsets may have gaps at
        the end (Kafka's transaction markers), so the end alone does not tell."""
        ends = self._log.end_offsets(topic)
        partitions = ends if key is None else [partition_of(key, len(ends))]
        behind = {(topic, each): done.get(each, 0) for each in partitions if done.get(each, 0) < ends[each]}
        if not behind:
            return {}
        reader = self._log.reader(behind)
        last: dict[int, int] = {}
        try:
            while any(next < ends[partition] for (_, partition), next in reader.positions().items()):
                last |= {record.partition: record.offset for record in reader.poll(1.0)}
        finally:
            reader.close()
        return last
