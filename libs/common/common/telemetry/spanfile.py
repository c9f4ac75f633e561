"""The last spans of a process, one JSON object a line, in a file that does not grow for ever. `orderly trace` reads it.

A span is in the file when it has ended, whatever becomes of the process in the next moment: it is written at once, by one
system call, and the page cache survives kill -9. The file is replaced when it is full, and its predecessor is kept. A disk that
is full costs spans and nothing else.
"""

import os
import threading
from pathlib import Path

import msgspec
import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

FULL = 8 * 1024 * 1024  # bytes: some 15 000 spans, 600 orders

_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger("traces")


class SpanFile(SpanProcessor):
    def __init__(self, file: Path, service: str) -> None:
        self._file = file
        self._service = service
        self._lock = threading.Lock()
        self._fd = -1
        self._size = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """It is written when it ends."""

    def on_end(self, span: ReadableSpan) -> None:
        line = _encode(record(span, self._service)) + b"\n"
        with self._lock:
            try:
                if self._fd < 0 or self._size > FULL:
                    self._open()
                self._size += os.write(self._fd, line)
            except OSError as error:
                _log.warning("span not kept", error=str(error))

    def shutdown(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True

    def _open(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._file.replace(self._file.with_suffix(".1" + self._file.suffix))
        self._file.parent.mkdir(exist_ok=True)
        self._fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(self._fd).st_size


def record(span: ReadableSpan, service: str) -> dict[str, object]:
    """Times in nanoseconds since 1970."""
    made = span.context
    assert made is not None
    return {
        "trace": f"{made.trace_id:032x}",
        "span": f"{made.span_id:016x}",
        "parent": f"{span.parent.span_id:016x}" if span.parent else "",
        "service": service,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start": span.start_time,
        "end": span.end_time,
        "error": span.status.description or "error" if not span.status.is_ok else "",
        "attributes": dict(span.attributes or {}),
        "events": [(it.name, it.timestamp, dict(it.attributes or {})) for it in span.events],
        "links": [f"{it.context.trace_id:032x}-{it.context.span_id:016x}" for it in span.links],
    }
