"""Guards every listener: what is not one well-formed request, in time, gets a problem and a closed connection.

    400  what the parser refuses (CL+TE, two CL, obs-fold, bare LF, bad chunks), not exactly one Host, an odd
         Transfer-Encoding, trailers (they would join the headers behind the application's back), an upgrade
    408  head not complete 3 s after its first byte, body not 10 s after its head
    431  more than 16 kB or 100 headers

Nobody holds the server up by doing nothing: a handshake has 5 s, a connection without a request is closed after a while, and
the longest idle ones at once when there are too many; a caller that does not read its answer is cut off. uvicorn's own
protocol knows only the idle time. The guard costs ~5 µs a request.

On mutual TLS the scope of a request says by whose connection it came. A certificate that ran out, or whose CA is no longer
trusted, ends its connection without an answer; before that comes to pass, an answer says `connection: close`.
"""

import asyncio
import enum
import re
import resource
import socket
import ssl
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from common import tracecontext
from common.http_write import Gathering
from common.problems import MEDIA_TYPE, Problem
from common.security import tls
from common.security.spiffe import PEER

HANDSHAKE_SECONDS = 5.0
HEAD_SECONDS = 3.0
BODY_SECONDS = 10.0
IDLE_SECONDS = 75  # longer than our own clients keep an idle connection: it is theirs to close
UNREAD_SECONDS = 30.0
LINGER_SECONDS = 1.0
LARGEST_HEAD = 16 * 1024
MOST_HEADERS = 100
MOST_CONNECTIONS = 4000  # beyond it, and beyond half of the file descriptors that there are, idle ones have to go

_host = re.compile(rb"[A-Za-z0-9._:\[\]-]{1,255}").fullmatch

_MALFORMED = Problem(400, "malformed-request", "This is not HTTP/1.1 as RFC 9112 has it.")
_HOST = Problem(400, "malformed-request", "Send exactly one Host header.")
_TRANSFER = Problem(400, "malformed-request", "The only Transfer-Encoding taken here is chunked, once, in HTTP/1.1.")
_TRAILER = Problem(400, "malformed-request", "Trailers are not taken here.")
_UPGRADE = Problem(400, "upgrade-refused", "This connection cannot be upgraded to another protocol.")
_HEAD = Problem(431, "request-header-fields-too-large", f"At most {MOST_HEADERS} headers, {LARGEST_HEAD} bytes in all.")
_TIMEOUT = Problem(408, "request-timeout", "The request took too long to arrive.")


class _Reading(enum.Enum):
    NOTHING = 0
    HEAD = 1
    BODY = 2


class GuardedProtocol(HttpToolsProtocol):
    """`uvicorn.Config(http=GuardedProtocol)`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.timeout_keep_alive = IDLE_SECONDS
        self._reading = _Reading.NOTHING
        self._head_size = 0
        self._fault = _MALFORMED
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._secured: tls.Connection | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(Gathering(transport, self.loop))
        secured = transport.get_extra_info("ssl_object")
        if isinstance(secured, tls.Connection):
            self._secured = secured
            self.app_state = {**self.app_state, PEER: secured.holder.id}
        self.timeout_keep_alive_task = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)
        if len(self.connections) > (most := _most_connections()):
            self._make_room(len(self.connections) - most)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._disarm()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._secured is not None and not self._secured.valid():
            self._refused = True
            self.transport.abort()
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(self._fault)
            return
        if self._reading is not _Reading.NOTHING:
            self._await_rest(len(data))
        elif self.cycle is None or self.cycle.response_complete:  # empty lines only: still no request
            self.timeout_keep_alive_task = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        self._reading = _Reading.HEAD
        self._head_size = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading is not _Reading.HEAD:
            raise self._because(_TRAILER)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._disarm()
        self._check_head()
        super().on_headers_complete()
        self._reading = _Reading.BODY
        if self.expect_100_continue:  # a caller that was never told to continue may or may not send its body
            self.cycle.keep_alive = False
        if self._secured is not None and self._secured.fading():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._disarm()
        self._reading = _Reading.NOTHING
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server drains: an answer that has an end is finished, one that is streamed ends here."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not (cycle.response_started and cycle.chunked_encoding):
            super().shutdown()
            return
        cycle.disconnected = True
        cycle.message_event.set()
        self.transport.write(b"0\r\n\r\n")
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def idle_for(self, now: float) -> float:
        """Seconds without a request; negative while there is one."""
        timer = self.timeout_keep_alive_task
        if timer is None:
            return -1.0
        return now - timer.when() + (HEAD_SECONDS if self.cycle is None else IDLE_SECONDS)

    def _check_head(self) -> None:
        hosts, encodings, size = 0, 0, len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts += 1 if _host(value) else 2
            elif name == b"transfer-encoding":
                encodings += 1 if value.lower() == b"chunked" else 2
            elif name == b"upgrade":
                raise self._because(_UPGRADE)
        if hosts != 1:
            raise self._because(_HOST)
        if encodings and (encodings > 1 or self.parser.get_http_version() != "1.1"):
            raise self._because(_TRANSFER)
        if size > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            raise self._because(_HEAD)

    def _because(self, fault: Problem) -> Exception:
        self._fault = fault  # the parser turns what its callbacks raise into an error of its own
        return ValueError(fault.detail)

    def _await_rest(self, received: int) -> None:
        """Called while a request is half here: it has a deadline from its first piece on, and its head a size."""
        if self._deadline is None:
            seconds = HEAD_SECONDS if self._reading is _Reading.HEAD else BODY_SECONDS
            self._deadline = self.loop.call_later(seconds, self._expire)
        elif self._reading is _Reading.HEAD:
            self._head_size += received
            if self._head_size > LARGEST_HEAD:
                self._refuse(_HEAD)

    def _expire(self) -> None:
        self._deadline = None
        if self.flow.read_paused:  # it is we who do not read
            self._await_rest(0)
        else:
            self._refuse(_TIMEOUT)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, problem: Problem) -> None:
        """Answer unless another answer is under way, and close. Whatever else arrives is dropped."""
        self._refused = True
        self._disarm()
        cycle = self.cycle
        answered = False
        if cycle is not None and not cycle.response_complete:
            answered = cycle.response_started
            cycle.disconnected = True  # the application is told, and what it still says goes nowhere
            cycle.message_event.set()
        elif self._reading is _Reading.BODY:
            answered = True  # without waiting for the body, which is late
        if self.pipeline or answered:
            self.pipeline.clear()
            self.transport.close()
            return
        body = problem.body(tracecontext.trace_id(tracecontext.new()))
        head = (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # Closing now, with input unread, would reset the connection and take the answer from the caller.
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _make_room(self, wanted: int) -> None:
        now = self.loop.time()
        idle = [(c.idle_for(now), c) for c in self.connections if isinstance(c, GuardedProtocol)]
        idle = sorted((pair for pair in idle if pair[0] > 1.0), key=lambda pair: pair[0], reverse=True)
        for _, connection in idle[:wanted]:
            connection.transport.close()


def _most_connections() -> int:
    return min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


async def listen(
    config: uvicorn.Config, state: ServerState, sock: socket.socket, context: ssl.SSLContext | None
) -> asyncio.Server:
    """Serve on this socket, by TLS where there is a context. uvicorn itself would let a handshake take a minute."""
    return await asyncio.get_running_loop().create_server(
        lambda: GuardedProtocol(config, state, {}),
        sock=sock,
        backlog=config.backlog,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None,
        ssl_shutdown_timeout=LINGER_SECONDS if context else None,
    )
