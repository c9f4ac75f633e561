"""The event log in Kafka."""

from common.eventlog.kafka.connection import KafkaConnection
from common.eventlog.kafka.log import KafkaLog

__all__ = ["KafkaConnection", "KafkaLog"]
