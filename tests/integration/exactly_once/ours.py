"""The same work through Orderly's event log."""

from common.eventlog import Batch, Transaction
from common.eventlog.kafka import KafkaConnection, KafkaLog


class OurWorker:
    writes_at_commit = True

    def __init__(self, bootstrap: str, topic: str, group: str, member: str) -> None:
        self._log = KafkaLog(KafkaConnection(bootstrap))
        self._consumer = self._log.consumer(topic, group=group, member=member)

    def poll(self, timeout: float, limit: int = 200) -> Batch:
        return self._consumer.poll(timeout, limit)

    def transaction(self) -> Transaction:
        return self._consumer.transaction()

    def close(self) -> None:
        self._consumer.close()
        self._log.close()
