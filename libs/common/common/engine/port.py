"""What an engine opens for a process: the log, and the read model of a service from both sides."""

from typing import Protocol

from common.clock import Millis
from common.eventlog import EventLog
from common.readmodel import Bell, Generations, ReadModel, View


class Engine(Protocol):
    def open_log(self, *, lease: Millis = 5_000, housekeeping: bool = False) -> EventLog:
        """The log of the platform. Raises LogError that says what is wrong with it.

        One of the processes that offer to do the `housekeeping` does it, where an engine leaves that to its users.
        """
        ...

    def generations(self, service: str) -> Generations: ...

    def open_read_model(self, service: str, bell: Bell, *, generation: str | None = None) -> ReadModel:
        """The one that is served, or the given one of its `generations`."""
        ...

    def open_view(self, service: str, bell: Bell) -> View: ...
