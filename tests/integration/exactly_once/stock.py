"""Consume, transform, produce with kafka-python as it comes: the recipe of its documentation, which is what is judged here."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from common.errors import Unavailable
from common.eventlog import Batch, Record, Stored


class StockTransaction:
    def __init__(self, producer: KafkaProducer) -> None:
        self._producer = producer

    def send(self, record: Record) -> None:
        sent = self._producer.send(record.topic, record.value, record.key.encode(), partition=record.partition)
        sent.get(timeout=30)


class StockWorker:
    """In the shape of `common.eventlog.Consumer`, as far as the schedules need it."""

    writes_at_commit = False

    def __init__(self, bootstrap: str, topic: str, group: str, member: str) -> None:
        self._bootstrap = bootstrap
        self._id = f"{group}-{member}"
        self._consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=6_000,
            heartbeat_interval_ms=500,
            metrics_enabled=False,
        )
        self._consumer.partitions_for_topic(
            topic
        )  # 3.0.12: who joins before it knows the topic, and polls briefly, hangs
        self._producer = self._make_producer()

    def _make_producer(self) -> KafkaProducer:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap,
            transactional_id=self._id,
            transaction_timeout_ms=10_000,
            retry_backoff_ms=5,
            metrics_enabled=False,
        )
        producer.init_transactions()
        return producer

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        found = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=limit)
        return Batch(
            [
                Stored(each.topic, each.partition, each.offset, each.key.decode(), each.value, {}, each.timestamp)
                for records in found.values()
                for each in records
            ]
        )

    @contextmanager
    def transaction(self) -> Iterator[StockTransaction]:
        self._producer.begin_transaction()
        try:
            yield StockTransaction(self._producer)
            positions = {each: OffsetAndMetadata(self._consumer.position(each), "", -1) for each in self._owned()}
            self._producer.send_offsets_to_transaction(positions, self._consumer.group_metadata())
            self._producer.commit_transaction()
        except BaseException as error:
            self._abort()
            if isinstance(error, KafkaError):
                raise Unavailable(f"the transaction failed: {error!r}; what was polled is delivered again") from error
            raise

    def generation(self) -> int:
        """-1 when it has heard that it is a member no more."""
        return int(self._consumer.group_metadata().generation_id)

    def _abort(self) -> None:
        """Abort, or give the producer up if it can do that no more, and go back to where the group is."""
        try:
            self._producer.abort_transaction()
        except KafkaError:
            with suppress(KafkaError):
                self._producer.close(timeout=0)
            self._producer = self._make_producer()
        for each in self._owned():
            self._consumer.seek(each, self._consumer.committed(each) or 0)

    def _owned(self) -> list[TopicPartition]:
        return sorted(self._consumer.assignment())

    def close(self) -> None:
        with suppress(KafkaError):
            self._producer.close(timeout=1)
        self._consumer.close(autocommit=False)
