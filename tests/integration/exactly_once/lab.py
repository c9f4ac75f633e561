"""An input topic, an output topic, a worker between them behind the proxy, and the verdict on what came out."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from common.errors import Fenced, LogError
from common.eventlog import Batch, Record, Stored
from common.testing.eventually import eventually
from common.testing.kafka_proxy import Api, Fault, KafkaProxy

WITHIN = 60.0  # seconds that anything may take
MEMBER = "member"  # the name of the worker
OUTPUTS = (0, 1)  # partitions: each input leads to one record in each of them


class Undone(Exception):
    """The work of the transaction failed."""


class Sending(Protocol):
    def send(self, record: Record) -> None: ...


class Worker(Protocol):
    """The part of `common.eventlog.Consumer` that is needed here."""

    writes_at_commit: bool  # nothing is written before all of the transaction's work is done

    def poll(self, timeout: float, limit: int = 200) -> Batch: ...
    def transaction(self) -> AbstractContextManager[Sending]: ...
    def close(self) -> None: ...


Client = Callable[[str, str, str, str], Worker]  # bootstrap, topic, group, member


class Verdict(NamedTuple):
    """`lost`: outputs that are missing for ever, though their input is consumed. `doubled`: outputs that are there more than
    once. `leaked`: outputs that a failed transaction has left."""

    lost: int = 0
    doubled: int = 0
    leaked: int = 0

    def __str__(self) -> str:
        counts = {"lost": self.lost, "doubled": self.doubled, "leaked": self.leaked}
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "exactly once"


EXACTLY_ONCE = Verdict()


class Lab:
    """Topics and a group of its own. The worker is behind the proxy; what is put in and looked at is not."""

    def __init__(self, broker: str, proxy: KafkaProxy, client: Client) -> None:
        self.proxy = proxy
        self.failed: set[int] = set()  # attempts that must leave nothing
        self._client = client
        self._worker: Worker | None = None
        self._inputs = self._attempts = 0
        run = uuid.uuid4().hex[:8]
        self.source, self.target, self.group = f"in-{run}", f"out-{run}", f"group-{run}"
        admin = KafkaAdminClient(bootstrap_servers=broker)
        partitions = {self.source: 1, self.target: len(OUTPUTS)}
        admin.create_topics(
            {name: {"num_partitions": n, "replication_factor": 1} for name, n in partitions.items()},
            wait_for_metadata=True,
        )
        admin.close()
        self._producer = KafkaProducer(bootstrap_servers=broker)
        self._watcher = KafkaConsumer(bootstrap_servers=broker, group_id=self.group, enable_auto_commit=False)
        self._reader = KafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed")

    def put(self, count: int) -> None:
        for number in range(self._inputs, self._inputs + count):
            self._producer.send(self.source, b"%d" % number, b"key", partition=0)
        self._producer.flush()
        self._inputs += count

    @property
    def worker(self) -> Worker:
        if self._worker is None:
            self._worker = self._client(self.proxy.bootstrap, self.source, self.group, MEMBER)
        return self._worker

    def attempt(self, *, fail: bool = False) -> None:
        """Handle the next input in one transaction. `fail`: its work fails."""
        self._handle(self._next(), fail=fail)

    def abort(self) -> None:
        """Handle the next input in a transaction that is aborted when it has written: because its work fails, or, where nothing
        is written before the work is done, because its offsets do not get through."""
        if not self.worker.writes_at_commit:
            self.attempt(fail=True)
            return
        found, judge = self._next(), self.proxy.judge
        self.proxy.judge = lambda frame: Fault.CUT if frame.api == Api.TXN_OFFSET_COMMIT else judge(frame)
        self._handle(found)
        self.failed.add(self._attempts)
        self.proxy.judge = judge

    def work(self) -> None:
        """Handle whatever is there."""
        if found := self._poll():
            self._handle(found)

    def drain(self) -> None:
        """Go on with a new worker, without faults, until all input is consumed."""
        self.proxy.judge = lambda frame: Fault.PASS
        self._dismiss()

        def step() -> int:
            self.work()
            return self._watcher.committed(TopicPartition(self.source, 0)) or 0

        eventually(step, lambda consumed: consumed == self._inputs, within=WITHIN)

    def verdict(self) -> Verdict:
        found = Counter[tuple[int, str]]()
        leaked = 0
        for partition, value in self._outputs():
            name, _, attempt = value.partition("#")
            found[partition, name] += 1
            leaked += int(attempt) in self.failed
        wanted = [(partition, str(number)) for partition in OUTPUTS for number in range(self._inputs)]
        return Verdict(
            lost=sum(each not in found for each in wanted),
            doubled=sum(count > 1 for count in found.values()),
            leaked=leaked,
        )

    def is_open(self) -> bool:
        """Whether read_committed readers stand still before a transaction that has no end yet."""
        return any(self._end(self._reader, each) < self._end(self._watcher, each) for each in OUTPUTS)

    def close(self) -> None:
        self._dismiss()
        self._producer.close()
        self._watcher.close(autocommit=False)
        self._reader.close(autocommit=False)

    def _dismiss(self) -> None:
        if self._worker:
            self._worker.close()
            self._worker = None

    def _next(self) -> Sequence[Stored]:
        return eventually(lambda: self._poll(limit=1), within=WITHIN)

    def _poll(self, limit: int = 200) -> Sequence[Stored]:
        with suppress(LogError):
            return self.worker.poll(0.1, limit).records
        return []

    def _handle(self, inputs: Sequence[Stored], *, fail: bool = False) -> None:
        self._attempts += 1
        outputs = [self._output(each, partition) for each in inputs for partition in OUTPUTS]
        try:
            with self.worker.transaction() as transaction:
                for record in outputs:
                    transaction.send(record)
                if fail:
                    raise Undone
        except (Undone, Fenced):
            self.failed.add(self._attempts)
        except LogError:
            pass  # nobody knows; it is delivered again if it was not committed

    def _output(self, stored: Stored, partition: int) -> Record:
        value = (stored.value or b"") + b"#%d" % self._attempts
        return Record(self.target, "key", value, partition=partition)

    def _end(self, consumer: KafkaConsumer, partition: int) -> int:
        place = TopicPartition(self.target, partition)
        return int(consumer.end_offsets([place])[place])

    def _outputs(self) -> Iterator[tuple[int, str]]:
        eventually(lambda: not self.is_open(), within=WITHIN)
        for partition in OUTPUTS:
            place = TopicPartition(self.target, partition)
            self._reader.assign([place])
            self._reader.seek_to_beginning(place)
            end = self._end(self._reader, partition)
            while self._reader.position(place) < end:
                for record in self._reader.poll(timeout_ms=100).get(place, []):
                    yield partition, record.value.decode()
