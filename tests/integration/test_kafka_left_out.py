"""A coordinator leaves an end out where no leader is to be found (see transactions.py): who has the id next makes up for it.

The only copies of some partitions are on one broker of three. It is killed before transactions end there, and started later.
"""

import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple, TypeVar

import pytest
from kafka.protocol.admin import CreateTopicsRequest
from kafka.protocol.metadata import CoordinatorType, MetadataRequest

from common.errors import Unavailable
from common.eventlog.kafka import KafkaConnection, KafkaLog, offsets, transactions
from common.eventlog.kafka.batches import encode
from common.eventlog.kafka.membership import Ticket
from common.eventlog.kafka.producing import Encoded
from common.eventlog.kafka.topics import Catalog
from common.eventlog.kafka.transactions import Transactions
from common.eventlog.kafka.wire import GROUP, TRANSACTION, Place, Wire, check
from common.eventlog.port import Record
from common.testing.eventually import eventually
from orderly.backing.private import Brokers
from tests.integration.administration import values

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

SETTINGS = {
    "offsets.topic.replication.factor": "1",
    "min.insync.replicas": "1",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1",
}
LONG = 50.0  # seconds that a transaction may take whose end waits for the death of a broker
SHORT = 1.0  # and later
KEEPER = 2  # the broker with the only copies
NOBODY = Ticket("", None, -1)  # type: ignore[arg-type]  # a group without members lets anybody commit
OFFSET = 7

T = TypeVar("T")

_New = CreateTopicsRequest.CreatableTopic
_Assigned = _New.CreatableReplicaAssignment


class Died(Exception):
    pass


class Mortal(Transactions):
    """Dies when it comes to `doom`, and loses its line to the coordinator when it is about to write if `losing`."""

    doom: str | None = None
    losing = False

    async def write(self, records: Mapping[Place, Encoded], until: float) -> dict[Place, list[int]]:
        if self.losing:
            self.losing = False
            self._wire.hang_up(await self._wire.coordinator(TRANSACTION, self._id))
        return await super().write(records, until)

    async def _announce(self, places: Set[Place]) -> None:
        self._come_to("begun")
        await super()._announce(places)

    async def _announce_offsets(self) -> None:
        self._come_to("announced")
        await super()._announce_offsets()

    async def _end(self, *, committed: bool, until: float) -> None:
        self._come_to("complete")
        await super()._end(committed=committed, until=until)
        self._come_to("ended")

    def _come_to(self, step: str) -> None:
        if self.doom == step:
            raise Died


class Process:
    """Has the id until another one begins. Its topic, which it reads as well, has the same name."""

    def __init__(self, bootstrap: str, name: str, group: str) -> None:
        self.bootstrap, self.name, self.group = bootstrap, name, group
        self.wire = Wire(KafkaConnection(bootstrap), name)
        self._catalog = Catalog(1)
        self._work = Mortal(self.wire, name, group, partial(self._catalog.open_places, self.wire), bumping=True)

    def ask(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self.wire.run(self.wire.persist(attempt, time.monotonic() + 20))

    def begin(self, doom: str | None = None) -> None:
        self.wire.run(self._catalog.load(self.wire, [self.name]))
        self._work.doom = doom
        self.wire.run(self._work.begin())

    def commit(self, value: str, offset: int) -> None:
        record = encode(Record(self.name, "k", value.encode()))
        self.wire.run(self._work.commit({(self.name, 0): [record]}, {(self.name, 0): offset}, NOBODY))

    def leave_open(self, value: str, offset: int) -> None:
        self._work.doom = "complete"
        with pytest.raises(Died):
            self.commit(value, offset)
        self._work.doom = None

    def end(self, *, committed: bool) -> None:
        self.wire.run(self._work._end(committed=committed, until=time.monotonic() + 10))

    def create(self) -> None:
        """The topic, on that broker alone."""
        partition = _Assigned(partition_index=0, broker_ids=[KEEPER])
        topic = _New(name=self.name, num_partitions=-1, replication_factor=-1, assignments=[partition], configs=[])
        request = CreateTopicsRequest(topics=[topic], timeout_ms=10_000)
        (answer,) = self.ask(lambda: self.wire.call(None, request)).topics
        check(answer.error_code, self.name)
        eventually(lambda: self.leader() == KEEPER)

    def depends_on(self, broker: int, kind: CoordinatorType, key: str) -> bool:
        return str(self.ask(lambda: self.wire.coordinator(kind, key))).endswith(f"-{broker}")

    def brokers(self) -> int:
        return len(self.ask(lambda: self.wire.call(None, MetadataRequest(topics=[]))).brokers)

    def leader(self) -> int:
        (topic,) = self.ask(lambda: self.wire.describe([self.name]))
        return next((int(each.leader_id) for each in topic.partitions), -1)

    def offset(self) -> int | None:
        """None: a transaction that is open may move it."""
        known, moving = self.ask(lambda: offsets.committed(self.wire, self.group, self.name, [0]))
        return None if moving else known.get(0, 0)

    def read(self) -> list[str]:
        log = KafkaLog(KafkaConnection(self.bootstrap))
        try:
            return values(log, self.name)
        finally:
            log.close()

    def is_open(self) -> bool:
        place = self.name, 0
        visible = self.ask(lambda: offsets.ends(self.wire, [place], stable=True))
        written = self.ask(lambda: offsets.ends(self.wire, [place], stable=False))
        return visible[place] < written[place] and self.offset() is None

    def lose_the_line(self) -> None:
        self.wire.hang_up(self.ask(lambda: self.wire.coordinator(TRANSACTION, self.name)))

    def lose_the_line_later(self) -> None:
        self._work.losing = True

    def close(self) -> None:
        self.wire.close()


class Case(NamedTuple):
    committed: bool
    dooms: tuple[str, ...]  # of the heirs, but for the last; without any it is the process itself that goes on
    late: bool = False  # and then, whether it notices when its next transaction is under way

    @property
    def name(self) -> str:
        return "-".join(("commit" if self.committed else "abort", *self.dooms, *["late"] * self.late))


DOOMS: Sequence[tuple[str, ...]] = (), ("begun",), ("announced",), ("complete",), ("ended",), ("complete", "begun")
CASES = [Case(committed, dooms) for committed in (True, False) for dooms in DOOMS]
CASES += [Case(committed, (), late=True) for committed in (True, False)]


@pytest.fixture(scope="module")
def left_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Process]]:
    """Of each case the process whose transaction has ended, and is open where it wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "TIMEOUT", LONG)
        brokers = Brokers.start(tmp_path_factory.mktemp("kafka"), 3, properties=SETTINGS)
        cases: dict[Case, Process] = {}
        try:
            for case in CASES:
                cases[case] = process = _kept_by_one(brokers.bootstrap, case.name)
                process.create()
            for process in cases.values():
                process.begin()
                process.leave_open("1", OFFSET)
            brokers.kill(KEEPER)
            eventually(lambda: all(each.leader() < 0 for each in cases.values()), within=60)
            for case, process in cases.items():
                process.end(committed=case.committed)
            brokers.restart(KEEPER)
            eventually(lambda: all(each.leader() == KEEPER for each in cases.values()), within=60)
            yield cases
        finally:
            for process in cases.values():
                process.close()
            brokers.stop()


def _kept_by_one(bootstrap: str, prefix: str) -> Process:
    """Its records and its offsets are on that broker alone, its coordinator is another one."""
    names = [f"{prefix}-{number}" for number in range(100)]
    with closing(Process(bootstrap, prefix, prefix)) as anybody:
        eventually(lambda: anybody.brokers() == 3, within=60)  # else one of them might get all groups
        name = next(name for name in names if not anybody.depends_on(KEEPER, TRANSACTION, name))
        group = next(name for name in names if anybody.depends_on(KEEPER, GROUP, name))
    return Process(bootstrap, name, group)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_was_left_out_is_ended_as_it_was_by_who_is_next(
    left_out: dict[Case, Process], case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "TIMEOUT", SHORT)
    process = left_out[case]
    assert process.is_open(), "nothing was left out: is the broker cured?"
    for doom in case.dooms:
        with closing(Process(process.bootstrap, process.name, process.group)) as heir, pytest.raises(Died):
            heir.begin(doom)
        time.sleep(2 * SHORT)  # in which the broker gives up what is like other transactions
    if case.late:
        process.lose_the_line_later()
        with pytest.raises(Unavailable):
            process.commit("never", OFFSET + 2)
        process.commit("2", OFFSET + 1)
    elif not case.dooms:
        process.lose_the_line()
        process.commit("2", OFFSET + 1)
    else:
        with closing(Process(process.bootstrap, process.name, process.group)) as heir:
            heir.begin()
            eventually(lambda: not heir.is_open())
            assert heir.offset() == (OFFSET if case.committed else 0)
            heir.commit("2", OFFSET + 1)
    eventually(lambda: process.offset() == OFFSET + 1)
    assert process.read() == ["1"] * case.committed + ["2"]
