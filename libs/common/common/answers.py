"""What the world outside has answered to effects, on its way to the processor that asked: in memory only.

Nothing is lost with a process that dies: an effect whose answer was not decided upon is offered again by whoever restores
its state, and asked for by its idempotency key. So an answer need not be written before it is decided, like a timer.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from common.clock import Instant
from common.messages import Message


class Answer(NamedTuple):
    """`effect`: the id of what was to be done, `at`: when its outcome was known, `key`: of the aggregate that waits for it."""

    key: str
    message: Message
    effect: str
    actor: str
    at: Instant
    traceparent: str = ""


class Answers:
    """Put by any thread, taken by the processor's. `arrived` is called when there is one where there was none."""

    def __init__(self) -> None:
        self.arrived: Callable[[], None] = lambda: None
        self._waiting: deque[Answer] = deque()

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def put(self, answer: Answer) -> None:
        first = not self._waiting
        self._waiting.append(answer)
        if first:
            self.arrived()

    def take(self) -> list[Answer]:
        """All of them, in the order in which they came."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def give_back(self, taken: Iterable[Answer]) -> None:
        """They were not decided upon after all."""
        self._waiting.extendleft(reversed([*taken]))
