"""Is anybody there behind a service's socket? Asked every few seconds, without ever waiting for the answer."""

import socket
from math import inf

from orderly.sockets import LOOPBACK

EVERY = 5.0
CONNECT_WITHIN = 0.2  # loopback: longer means that nobody has accepted for a long while
QUESTION = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Heartbeat:
    """Call `silence` about once a second: it asks, looks for the answer, and tells for how long there was none.

    Silence is counted from the first unanswered question, without the time in which nobody called: a watcher that was
    itself asleep accuses nobody of it.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._question: socket.socket | None = None
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
        if self._question is None and now - self._asked_at >= EVERY:
            self._ask(now)
        return 0.0 if self._silent_since is None else now - self._silent_since

    def _ask(self, now: float) -> None:
        self._asked_at = now
        if self._silent_since is None:
            self._silent_since = now
        try:
            self._question = socket.create_connection((LOOPBACK, self._port), CONNECT_WITHIN)
            self._question.setblocking(False)
            self._question.send(QUESTION)
        except OSError:
            self._hang_up()

    def _heard(self) -> bool:
        if self._question is None:
            return False
        try:
            answer = self._question.recv(1024)
        except BlockingIOError:
            return False
        except OSError:
            answer = b""
        self._hang_up()
        return answer[8:13] == b" 200 "  # after HTTP/1.x

    def _hang_up(self) -> None:
        if self._question is not None:
            self._question.close()
            self._question = None
