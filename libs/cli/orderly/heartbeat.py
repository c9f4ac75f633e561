"""Is anybody there behind a process's port? Asked every few seconds, without ever waiting for the answer."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from orderly.sockets import LOOPBACK

if TYPE_CHECKING:
    import ssl

EVERY = 5.0
EARLY = 0.2  # until the first answer
CONNECT_WITHIN = 0.2  # loopback: longer means that nobody has accepted for a long while
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Question:
    """What to say to a port, and whether the first bytes that come back are an answer (b"": it hung up).

    `tls`: a handshake is question and answer. Whether it lives is asked, not who it is.
    """

    port: int
    words: bytes
    answered: Callable[[bytes], bool]
    tls: bool = False

    def asked(self, within: float) -> bool:
        """Ask once, and wait for the answer."""
        try:
            with self.put(within) as connection:
                connection.settimeout(within)
                return self.heard(connection)
        except OSError:
            return False

    def put(self, within: float) -> socket.socket:
        """The connection by which it was asked, and by which the answer will come. Raises OSError."""
        connection = socket.create_connection((LOOPBACK, self.port), within)
        try:
            if self.tls:
                return _unchecked().wrap_socket(connection, do_handshake_on_connect=False)
            connection.sendall(self.words)
        except BaseException:
            connection.close()
            raise
        return connection

    def heard(self, connection: socket.socket) -> bool:
        """Raises OSError; of these BlockingIOError where a connection that does not block has nothing yet."""
        if not self.tls:
            return self.answered(connection.recv(1024))
        import ssl

        assert isinstance(connection, ssl.SSLSocket)
        try:
            connection.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        return True


def _unchecked() -> "ssl.SSLContext":
    import ssl  # only now: most supervisors never need it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


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
            self._asking = self._question.put(CONNECT_WITHIN)
            self._asking.setblocking(False)
        except OSError:
            self._hang_up()

    def _heard(self) -> bool:
        if self._asking is None:
            return False
        try:
            found = self._question.heard(self._asking)
        except BlockingIOError:
            return False
        except OSError:
            found = False
        self._hang_up()
        return found

    def _hang_up(self) -> None:
        if self._asking is not None:
            self._asking.close()
            self._asking = None
