"""The last spans of a process, one JSON object a line, in a file that does not grow for ever. `orderly trace` reads it.

keeping.py says when they are written. The file is replaced when it is full, and its predecessor is kept. A disk that is full
costs spans and nothing else.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from common.telemetry.keeping import Lines
from common.telemetry.traces import Output, Span

FULL = 8 * 1024 * 1024  # bytes: some 15 000 spans, 500 orders

_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger("traces")


class SpanFile(Output):
    """A line is a `Span`, as it is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines = Lines(self._write)
        self._fd = -1
        self._size = 0

    def take(self, span: Span) -> None:
        self._lines.take(_encode(span))

    def close(self) -> None:
        self._lines.close()
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _write(self, lines: Sequence[bytes]) -> None:
        try:
            if self._fd < 0 or self._size > FULL:
                self._open()
            self._size += os.write(self._fd, b"\n".join((*lines, b"")))
        except OSError as error:
            _log.warning("spans not kept", count=len(lines), error=str(error))

    def _open(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._file.replace(self._file.with_suffix(".1" + self._file.suffix))
        self._file.parent.mkdir(exist_ok=True)
        self._fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(self._fd).st_size
