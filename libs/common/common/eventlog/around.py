"""Around a log of any engine, and around its consumers: does what they do; subclasses change what is theirs to change."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from common.eventlog.port import Batch, Consumer, EventLog, Position, Reader, Record, Topic, Transaction


class LogAround:
    def __init__(self, log: EventLog) -> None:
        self._log = log

    def append(self, records: Sequence[Record]) -> "Future[Sequence[Position]]":
        return self._log.append(records)

    def consumer(self, topic: str, *, group: str, member: str) -> Consumer:
        return self._log.consumer(topic, group=group, member=member)

    def create(self, topics: Sequence[Topic]) -> None:
        self._log.create(topics)

    def topics(self) -> Mapping[str, Topic]:
        return self._log.topics()

    def reader(self, positions: Mapping[tuple[str, int], int]) -> Reader:
        return self._log.reader(positions)

    def start_offsets(self, topic: str) -> Mapping[int, int]:
        return self._log.start_offsets(topic)

    def end_offsets(self, topic: str) -> Mapping[int, int]:
        return self._log.end_offsets(topic)

    def committed(self, topic: str, *, group: str) -> Mapping[int, int]:
        return self._log.committed(topic, group=group)

    def copies_missing(self) -> int:
        return self._log.copies_missing()

    def close(self) -> None:
        self._log.close()


class ConsumerAround:
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        return self._consumer.poll(timeout, limit)

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(partition, offset)

    def transaction(self) -> Transaction:
        return self._consumer.transaction()

    def wake(self) -> None:
        self._consumer.wake()

    def close(self) -> None:
        self._consumer.close()
