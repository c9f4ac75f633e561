"""A member of a group: polls what it owns, and commits what it made of it together with how far it has read."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import structlog

from common.errors import Fenced, LogError
from common.eventlog.assignment import Assignment
from common.eventlog.kafka import batches, offsets
from common.eventlog.kafka.fetching import Fetcher
from common.eventlog.kafka.membership import Membership
from common.eventlog.kafka.topics import Catalog
from common.eventlog.kafka.transactions import Transactions
from common.eventlog.kafka.wire import Place, Wire
from common.eventlog.port import Batch, Position, Record, Stored

AGAIN = 0.02  # seconds until an offset is asked for again that a transaction under way may move

_log = structlog.get_logger("eventlog")


class KafkaConsumer:
    def __init__(
        self,
        wire: Wire,
        fetches: Wire,
        catalog: Catalog,
        topic: str,
        group: str,
        membership: Membership,
        transactions: Transactions,
    ) -> None:
        self._wire = wire
        self._fetches = fetches
        self._catalog = catalog
        self._topic = topic
        self._group = group
        self._membership = membership
        self._transactions = transactions
        self._fetcher = Fetcher(fetches)
        self._assignment = Assignment()
        self._committed: dict[int, int] = {}  # owned partition -> the group's offset
        self._lives = 0  # of the membership, when the assignment was last brought up to date
        self._begun = -1  # the life in which the transactions began
        self._woken = False
        self._closed = False

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        return self._wire.run(self._poll(time.monotonic() + timeout, limit))

    def seek(self, partition: int, offset: int) -> None:
        self._assignment.seek(partition, offset)
        self._fetcher.aim((self._topic, partition), offset)

    def transaction(self) -> "KafkaTransaction":
        return KafkaTransaction(self, self._catalog, self._wire)

    def wake(self) -> None:
        self._woken = True
        self._fetches.wake()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._wire.run(self._membership.leave())
        except LogError as error:
            _log.warning("left without a word, the lease will run out", error=str(error))
        finally:
            self._fetches.close()
            self._wire.close()

    def commit(self, placed: Sequence[tuple[Place, bytes]]) -> Sequence[Position]:
        uncommitted = self._assignment.uncommitted
        if not placed and not uncommitted:
            return ()
        try:
            positions = self._wire.run(self._commit(placed, {**self._committed, **uncommitted}))
        except BaseException:
            self._lives = -1  # whatever it was, the next poll begins anew
            raise
        self._committed.update(uncommitted)
        self._assignment.committed()
        return positions

    def rewind(self) -> None:
        busy = self._assignment.busy
        self._assignment.rewind()
        for partition in busy:
            self._fetcher.aim((self._topic, partition), self._assignment.positions[partition])

    async def _commit(self, placed: Sequence[tuple[Place, bytes]], upto: dict[int, int]) -> Sequence[Position]:
        """The offset of every owned partition goes along, moved or not: so none is written for by who lost it. The broker knows
        who is a member, and not of which partitions: that none was given up is to be seen to here."""
        await self._membership.stay()
        ticket = self._membership.ticket()
        if not self._assignment.owned <= self._membership.owned:
            raise Fenced(f"{ticket.name}: gave up partitions and has not followed yet; nothing was written")
        encoded: dict[Place, list[bytes]] = {}
        indices: list[tuple[Place, int]] = []
        for place, record in placed:
            there = encoded.setdefault(place, [])
            indices.append((place, len(there)))
            there.append(record)
        moved = {(self._topic, partition): offset for partition, offset in upto.items()}
        asked_at = time.monotonic()
        try:
            written = await self._transactions.commit(encoded, moved, ticket)
        except Fenced:
            self._membership.forsake()
            raise
        self._membership.confirmed(asked_at)
        return [Position(*place, written[place][index]) for place, index in indices]

    async def _poll(self, until: float, limit: int) -> Batch:
        while True:
            gained, lost = await self._keep_up()
            if gained or lost:
                return Batch((), gained, lost)  # before anything else, which might fail: they must not go untold
            await self._fetcher.ask()
            records = await self._take(limit)
            if records or self._woken or time.monotonic() >= until:
                self._woken = False
                return Batch(records)
            pause = min(until, self._membership.beat_at)
            if self._membership.owned > self._assignment.owned:
                pause = min(pause, time.monotonic() + AGAIN)
            await self._fetches.pause(pause)

    async def _keep_up(self) -> tuple[Sequence[int], Sequence[int]]:
        """Follow the group. Returns (gained, lost)."""
        membership, assignment = self._membership, self._assignment
        await membership.keep(assignment.busy)
        owned = membership.owned
        anew = self._lives != membership.lives
        if owned and not (self._transactions.sound and self._begun == membership.lives):
            await self._transactions.begin()
            self._begun = membership.lives
        if owned == assignment.owned and not anew:
            return (), ()
        kept = frozenset[int]() if anew else assignment.owned & owned
        known = {partition: self._committed[partition] for partition in kept}
        if owned - kept:
            found, moving = await offsets.committed(self._wire, self._group, self._topic, owned - kept)
            known |= {partition: found.get(partition, 0) for partition in owned - kept if partition not in moving}
        self._lives = membership.lives
        self._committed = known
        gained, lost = assignment.update(known, anew=anew)
        for partition in lost:
            self._fetcher.drop((self._topic, partition))
        for partition in gained:
            self._fetcher.aim((self._topic, partition), known[partition])
        return gained, lost

    async def _take(self, limit: int) -> Sequence[Stored]:
        """What has come; nothing when it turns out that this is no member any more."""
        ends = {partition: end for (_, partition), end in self._fetcher.ends().items()}
        news = any(ends[partition] > position for partition, position in self._assignment.positions.items())
        if not news:
            return ()
        if not self._membership.sure:
            await self._membership.stay(now=True)
            if self._membership.lives != self._lives:
                return ()

        def take(partition: int, position: int, room: int) -> tuple[Sequence[Stored], int]:
            return self._fetcher.take((self._topic, partition), room)

        return self._assignment.read(ends, limit, take)


class KafkaTransaction:
    """What is sent waits here for the end of the block: then it goes all at once, or not at all."""

    def __init__(self, consumer: KafkaConsumer, catalog: Catalog, wire: Wire) -> None:
        self._consumer = consumer
        self._catalog = catalog
        self._wire = wire
        self._placed: list[tuple[Place, bytes]] = []
        self._positions: Sequence[Position] = ()

    @property
    def positions(self) -> Sequence[Position]:
        return self._positions

    def send(self, record: Record) -> None:
        place = self._catalog.known(record) or self._wire.run(self._catalog.place(self._wire, record))
        self._placed.append((place, batches.encode(record)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if error is None:
            self._positions = self._consumer.commit(self._placed)
        else:
            self._consumer.rewind()
