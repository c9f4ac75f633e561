"""The event log in Kafka, on the client library's connections and its protocol.

- What was acknowledged is on every replica in sync; with three of them it survives the loss of a broker, with one that of its
  process.
- Who lost its partitions is fenced by the broker: by its member epoch (KIP-848, KIP-447) and its producer epoch (KIP-890).
- A process that dies inside a transaction holds up readers of what it wrote until it starts again under its name, or for
  `transactions.TIMEOUT` and the broker's next look (`transaction.abort.timed.out.transaction.cleanup.interval.ms`).
"""

import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from common.clock import Millis
from common.errors import Unavailable
from common.eventlog.appending import Appender
from common.eventlog.kafka import offsets
from common.eventlog.kafka.appender import Sends
from common.eventlog.kafka.connection import KafkaConnection
from common.eventlog.kafka.consumer import KafkaConsumer
from common.eventlog.kafka.features import bumps_epochs
from common.eventlog.kafka.membership import Membership, set_lease
from common.eventlog.kafka.reader import KafkaReader
from common.eventlog.kafka.topics import Catalog, copies_missing
from common.eventlog.kafka.transactions import TIMEOUT, Transactions
from common.eventlog.kafka.wire import REQUEST_TIMEOUT, Place, Wire
from common.eventlog.port import Position, Record, Topic
from common.telemetry import metrics

T = TypeVar("T")

STALL = TIMEOUT + 2.0  # seconds that a transaction whose process is gone may be open


class KafkaLog:
    """An `EventLog` on the brokers of `connection`. Raises LogError that says what is wrong with them, `Unavailable` when they
    do not answer.

    `lease` is how long a silent member keeps its partitions, `capacity` how many appended records may wait to be written.
    `degraded`: the brokers are older than they should be, see `KafkaConnection`.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        lease: Millis = 5_000,
        capacity: int = 10_000,
        transactions: type[Transactions] = Transactions,
    ) -> None:
        self._connection = connection
        self._transactions = transactions
        self._lease = lease
        self._guard = threading.Lock()
        self._catalog = Catalog(connection.replication)
        self._wire = self._open("log")
        try:
            self._bumping = self._wire.run(bumps_epochs(self._wire, degraded=connection.degraded))
        except BaseException:
            self._wire.close()
            raise
        self.degraded = not self._bumping
        metrics.LOG_DEGRADED.set(self.degraded)
        self._appender = Appender(lambda: Sends(self._open("appender"), self._catalog), capacity)

    def create(self, topics: Sequence[Topic]) -> None:
        self._ask(lambda: self._catalog.create(self._wire, topics))

    def topics(self) -> Mapping[str, Topic]:
        return dict(self._ask(lambda: self._catalog.load(self._wire)))

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        return self._appender.append(records)

    def consumer(self, topic: str, *, group: str, member: str) -> KafkaConsumer:
        self._places(topic)
        wire = self._open(f"{group}-{member}")
        try:
            wire.run(set_lease(wire, group, self._lease))
        except BaseException:
            wire.close()
            raise
        membership = Membership(wire, topic, self._catalog.topic_id(topic), group, member, self._lease)
        open_places = partial(self._catalog.open_places, wire)
        transactions = self._transactions(wire, f"{group}-{member}", group, open_places, bumping=self._bumping)
        fetches = Wire(self._connection, f"{group}-{member}-fetches", beside=wire)
        return KafkaConsumer(wire, fetches, self._catalog, topic, group, membership, transactions)

    def reader(self, positions: Mapping[Place, int]) -> KafkaReader:
        for topic in {topic for topic, _ in positions}:
            self._places(topic)
        return KafkaReader(self._open("reader"), positions)

    def start_offsets(self, topic: str) -> Mapping[int, int]:
        places = self._places(topic)
        return _by_partition(self._ask(lambda: offsets.starts(self._wire, places)))

    def end_offsets(self, topic: str) -> Mapping[int, int]:
        """Waits for the transactions that are open at this moment, `STALL` seconds at most: a broker acknowledges a commit
        before its records are visible, and what was acknowledged before the call must be below the ends."""
        places = self._places(topic)
        written = self._ask(lambda: offsets.ends(self._wire, places, stable=False))

        async def look() -> Mapping[Place, int] | None:
            visible = await offsets.ends(self._wire, places, stable=True)
            return visible if all(visible[place] >= end for place, end in written.items()) else None

        return _by_partition(self._settled(look, f"topic {topic}"))

    def committed(self, topic: str, *, group: str) -> Mapping[int, int]:
        """Waits for commits under way, `STALL` seconds at most."""
        partitions = [partition for _, partition in self._places(topic)]

        async def look() -> Mapping[int, int] | None:
            found, moving = await offsets.committed(self._wire, group, topic, partitions)
            return None if moving else found

        return self._settled(look, f"group {group}")

    def copies_missing(self) -> int:
        """Of the topics that this connection may see, Kafka's own included."""
        return self._ask(lambda: copies_missing(self._wire))

    def close(self) -> None:
        self._appender.close()
        with self._guard:
            self._wire.close()

    def _places(self, topic: str) -> list[Place]:
        return self._ask(lambda: self._catalog.places(self._wire, topic))

    def _ask(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Whoever leads now; other threads wait meanwhile."""
        with self._guard:
            return self._wire.run(self._wire.persist(question, time.monotonic() + REQUEST_TIMEOUT))

    def _settled(self, look: Callable[[], Coroutine[Any, Any, T | None]], where: str) -> T:
        """Look until there is an answer. Other threads get their turn in between."""
        until, pause = time.monotonic() + STALL, 0.001
        while (found := self._ask(look)) is None:
            if time.monotonic() > until:
                raise Unavailable(f"{where}: a transaction has been open for {STALL:.0f} s; try again later")
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
        return found

    def _open(self, name: str) -> Wire:
        return Wire(self._connection, f"orderly-{name}")


def _by_partition(found: Mapping[Place, int]) -> Mapping[int, int]:
    return {partition: offset for (_, partition), offset in sorted(found.items())}
