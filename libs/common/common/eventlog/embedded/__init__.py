"""The event log in one SQLite file, for every process of one machine."""

from common.eventlog.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog"]
