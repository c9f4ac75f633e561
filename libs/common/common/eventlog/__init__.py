"""The log is the truth: one port, and the engines behind it."""

from common.eventlog.port import (
    Batch,
    Cleanup,
    Consumer,
    EventLog,
    Position,
    Reader,
    Record,
    Stored,
    Topic,
    Transaction,
    partition_of,
)

__all__ = [
    "Batch",
    "Cleanup",
    "Consumer",
    "EventLog",
    "Position",
    "Reader",
    "Record",
    "Stored",
    "Topic",
    "Transaction",
    "partition_of",
]
