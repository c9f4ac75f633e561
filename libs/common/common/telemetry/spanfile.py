"""The last spans of a process, one JSON object a line, in a file that does not grow for ever. `orderly trace` reads it.

They are written when the transaction or batch that they are of has ended, those of a request within 20 ms, by one system call,
whatever becomes of the process then: the page cache survives kill -9. One call for each span would hand over Python's lock to
another thread each time. The file is replaced when it is full, and its predecessor is kept. A disk that is full costs spans and
nothing else.
"""

import os
import threading
from collections import deque
from pathlib import Path

import msgspec
import structlog

from common.telemetry.traces import Output, Span

FULL = 8 * 1024 * 1024  # bytes: some 15 000 spans, 500 orders
MANY = 256  # lines that wait; a stream may go on for minutes

_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger("traces")


class SpanFile(Output):
    """A line is a `Span`, as it is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._lines: deque[bytes] = deque()
        self._fd = -1
        self._size = 0

    def take(self, span: Span) -> None:
        self._lines.append(_encode(span))
        if len(self._lines) >= MANY:
            self.keep()

    def keep(self) -> None:
        if not self._lines:
            return
        with self._lock:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]  # others go on appending
            if not lines:
                return
            try:
                if self._fd < 0 or self._size > FULL:
                    self._open()
                self._size += os.write(self._fd, b"\n".join((*lines, b"")))
            except OSError as error:
                _log.warning("spans not kept", count=len(lines), error=str(error))

    def close(self) -> None:
        self.keep()
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._file.replace(self._file.with_suffix(".1" + self._file.suffix))
        self._file.parent.mkdir(exist_ok=True)
        self._fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(self._fd).st_size
