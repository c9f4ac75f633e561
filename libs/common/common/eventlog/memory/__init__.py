"""The event log in the memory of one process."""

from common.eventlog.memory.log import MemoryLog

__all__ = ["MemoryLog"]
