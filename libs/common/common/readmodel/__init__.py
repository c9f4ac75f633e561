"""The read side: one port, and the stores behind it."""

from common.readmodel.port import Bell, Document, Entry, ReadModel, View

__all__ = ["Bell", "Document", "Entry", "ReadModel", "View"]
