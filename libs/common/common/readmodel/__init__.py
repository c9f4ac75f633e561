"""The read side: one port, and the stores behind it."""

from common.readmodel.bell import Bell
from common.readmodel.port import Document, Entry, Generations, ReadModel, View

__all__ = ["Bell", "Document", "Entry", "Generations", "ReadModel", "View"]
