"""Is anybody there behind a process's port? Asked every few seconds, without ever waiting for the answer."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from orderly.sockets import LOOPBACK

EVERY = 5.0
EARLY = 0.2  # until the first answer
CONNECT_WITHIN = 0.2  # loopback: longer means that nobody has accepted for a long while
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Question:
    """What to say to a port, and whether the first bytes that come back are an answer (b"": it hung up)."""

    port: int
    words: bytes
    answered: Callable[[bytes], bool]

    def asked(self, within: float) -> bool:
        """Ask once, and wait for the answer."""
        try:
            with socket.create_connection((LOOPBACK, self.port), within) as connection:
                connection.settimeout(within)
                connection.sendall(self.words)
                return self.answered(connection.recv(1024))
        except OSError:
            return False


def livez(port: int) -> Question:
    return Question(port, LIVEZ, lambda answer: answer[8:13] == b" 200 ")  # after HTTP/1.x


class Heartbeat:
    """Call `silence` about once a second: it asks, looks for the answer, and tells for how long there was none.

    Silence is counted from the first unanswered question, without the time in which nobody called: a watcher that was
    itself asleep accuses nobody of it.
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._asking: socket.socket | None = None
        self.reset()

    def reset(self) -> None:
        """Another process is behind the socket now."""
        self._hang_up()
        self.answered = False
        self._asked_at = -inf
        self._silent_since: float | None = None
        self._looked_at = inf

    def silence(self, now: float) -> float:
        if self._silent_since is not None and now - self._looked_at > EVERY:
            self._silent_since += now - self._looked_at
        self._looked_at = now
        if self._heard():
            self.answered = True
            self._silent_since = None
        if self._asking is None and now - self._asked_at >= (EVERY if self.answered else EARLY):
            self._ask(now)
        return 0.0 if self._silent_since is None else now - self._silent_since

    def _ask(self, now: float) -> None:
        self._asked_at = now
        if self._silent_since is None:
            self._silent_since = now
        try:
            self._asking = socket.create_connection((LOOPBACK, self._question.port), CONNECT_WITHIN)
            self._asking.setblocking(False)
            self._asking.send(self._question.words)
        except OSError:
            self._hang_up()

    def _heard(self) -> bool:
        if self._asking is None:
            return False
        try:
            answer = self._asking.recv(1024)
        except BlockingIOError:
            return False
        except OSError:
            self._hang_up()
            return False
        self._hang_up()
        return self._question.answered(answer)

    def _hang_up(self) -> None:
        if self._asking is not None:
            self._asking.close()
            self._asking = None
