"""Measures what the log in Kafka costs its client, beside the producer and the consumer of the client library.

    .venv/bin/python bench/kafka_client.py              two minutes

One thread reads, decides nothing, and writes what it read in one transaction with its offsets: exactly once. For comparison,
the library without a transaction: at least once. A record has 300 bytes and the nine headers of a command. CPU is what to look
at: the wall clock shows what else runs on the machine.
"""

import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata

from common.eventlog import Record, Topic
from common.eventlog.kafka import KafkaConnection, KafkaLog
from orderly.backing.private import Brokers

PARTITIONS = 12
VALUE = b"v" * 300
HEADERS = {
    "id": "0" * 32,
    "type": "PlaceOrder",
    "schema": "1",
    "at": "1764000000000",
    "actor": "service:order",
    "correlation": "c" * 32,
    "causation": "d" * 32,
    "reply_to": "order.commands",
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
}
SHAPES = ((1, 400), (100, 200))  # records of a transaction, transactions

HEAD = "| records | client | transactions/s | records/s | ms, p50 / p99 | CPU ms | CPU µs a record | CPU ms of the broker |"

Copy = Callable[[], int]  # one transaction; how many records it had


class Stage:
    """Topics with as much input as a run takes, and the clients that copy it."""

    def __init__(self, bootstrap: str, records: int) -> None:
        run = uuid.uuid4().hex[:8]
        self.bootstrap = bootstrap
        self.source, self.target, self.group = f"in-{run}", f"out-{run}", f"group-{run}"
        self.log = KafkaLog(KafkaConnection(bootstrap))
        self.log.create([Topic(self.source, PARTITIONS), Topic(self.target, PARTITIONS)])
        for start in range(0, records, 1_000):
            batch = [Record(self.source, f"k{n}", VALUE, HEADERS) for n in range(start, min(start + 1_000, records))]
            self.log.append(batch).result(60)

    def ours(self, size: int) -> tuple[Copy, Callable[[], None]]:
        consumer = self.log.consumer(self.source, group=self.group, member="0")

        def copy() -> int:
            batch = consumer.poll(1.0, size)
            with consumer.transaction() as transaction:
                for each in batch.records:
                    transaction.send(Record(self.target, each.key, each.value, each.headers))
            return len(batch.records)

        return copy, consumer.close

    def consumer(self) -> Any:
        return KafkaConsumer(
            self.source,
            bootstrap_servers=self.bootstrap,
            group_id=self.group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    def at_least_once(self, size: int) -> tuple[Copy, Callable[[], None]]:
        """No transaction: what is written twice after a crash stays there twice."""
        consumer = self.consumer()
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", retry_backoff_ms=2, linger_ms=0)

        def copy() -> int:
            polled: dict[Any, list[Any]] = consumer.poll(timeout_ms=1_000, max_records=size)
            if not polled:
                return 0
            for records in polled.values():
                for each in records:
                    producer.send(self.target, each.value, each.key, each.headers)
            producer.flush()
            consumer.commit()
            return sum(map(len, polled.values()))

        def close() -> None:
            consumer.close()
            producer.close()

        return copy, close

    def library(self, size: int) -> tuple[Copy, Callable[[], None]]:
        consumer = self.consumer()
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap, transactional_id=self.group, retry_backoff_ms=2, linger_ms=0
        )
        producer.init_transactions()

        def copy() -> int:
            polled: dict[Any, list[Any]] = consumer.poll(timeout_ms=1_000, max_records=size)
            metadata = consumer.group_metadata()
            if not polled:
                return 0
            producer.begin_transaction()
            for records in polled.values():
                for each in records:
                    producer.send(self.target, each.value, each.key, each.headers)
            offsets = {place: OffsetAndMetadata(records[-1].offset + 1, "", -1) for place, records in polled.items()}
            producer.send_offsets_to_transaction(offsets, metadata)
            producer.commit_transaction()
            return sum(map(len, polled.values()))

        def close() -> None:
            consumer.close()
            producer.close()

        return copy, close


def transactions(brokers: Brokers) -> Iterator[str]:
    broker = psutil.Process(brokers.node(1).pid)
    for size, count in SHAPES:
        for client in ("library, at least once", "library", "ours"):
            stage = Stage(brokers.bootstrap, size * (count + 20))
            make = {"ours": stage.ours, "library": stage.library}.get(client, stage.at_least_once)
            copy, close = make(size)
            while not copy():  # joined
                pass
            for _ in range(10):
                copy()
            took: list[float] = []
            copied = 0
            began, cpu, its = time.monotonic(), time.process_time(), _cpu(broker)
            for _ in range(count):
                at = time.monotonic()
                copied += copy()
                took.append((time.monotonic() - at) * 1000)
            seconds, cpu, its = time.monotonic() - began, time.process_time() - cpu, _cpu(broker) - its
            close()
            stage.log.close()
            yield (
                f"| {size} | {client} | {count / seconds:.0f} | {copied / seconds:,.0f} | {_spread(took)} "
                f"| {cpu / count * 1000:.1f} | {cpu / copied * 1e6:.0f} | {its / count * 1000:.1f} |"
            )


def hops(bootstrap: str) -> Iterator[str]:
    """A command is appended, a member answers it in a transaction, a reader sees the answer; one at a time."""
    stage = Stage(bootstrap, 0)
    copy, close = stage.ours(200)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            copy()
        close()

    member = threading.Thread(target=work)
    member.start()
    reader = stage.log.reader({(stage.target, partition): 0 for partition in range(PARTITIONS)})
    acknowledged: list[float] = []
    answered: list[float] = []
    for n in range(220):
        began = time.monotonic()
        stage.log.append([Record(stage.source, f"k{n}", VALUE, HEADERS)]).result(30)
        acknowledged.append((time.monotonic() - began) * 1000)
        while not reader.poll(1.0):
            pass
        answered.append((time.monotonic() - began) * 1000)
    yield f"| append → acknowledged | {_spread(acknowledged[20:])} |"
    yield f"| append → answer read | {_spread(answered[20:])} |"
    time.sleep(3)
    cpu = time.process_time()
    time.sleep(10)
    yield f"| a member and a reader at rest | {(time.process_time() - cpu) / 10 * 100:.1f} % of a core |"
    stop.set()
    member.join()
    reader.close()
    stage.log.close()


def _cpu(process: psutil.Process) -> float:
    found = process.cpu_times()
    return float(found.user + found.system)


def _spread(values: Sequence[float]) -> str:
    """p50 / p99"""
    cuts = statistics.quantiles(values, n=100)
    return f"{cuts[49]:.1f} / {cuts[98]:.1f}"


def show(head: str, rows: Iterator[str]) -> None:
    print(f"\n{head}\n|{'---|' * (head.count('|') - 1)}", flush=True)
    for row in rows:
        print(row, flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        brokers = Brokers.start(Path(folder))
        try:
            show(HEAD, transactions(brokers))
            show("| | ms, p50 / p99 |", hops(brokers.bootstrap))
        finally:
            brokers.stop()


if __name__ == "__main__":
    main()
