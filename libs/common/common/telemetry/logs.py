"""Structured logs: one JSON object a line on stdout, with time, level and service, and with trace, span and order where there
are such: what the task or thread that writes is doing (see tracecontext.py).

A warning, or worse, is written at once, with all that was told before it; keeping.py says when anything less is. Where nothing
can be written lines are lost, and nothing else.
"""

import atexit
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from structlog.processors import format_exc_info
from structlog.types import EventDict, WrappedLogger

from common import tracecontext
from common.telemetry.keeping import Lines
from common.telemetry.masking import masked


def configure(service: str, level: str = "info") -> None:
    """Set up this process's logging, once, at start. Lines of other libraries (uvicorn, asyncio) join in the same form."""

    encode = msgspec.json.Encoder(enc_hook=repr).encode

    def line(logger: WrappedLogger, level: str, event: EventDict) -> bytes:
        if "exc_info" in event:
            event = format_exc_info(logger, level, event)
        told: EventDict = {"service": service, **masked(event)}  # the rest does not come from whoever writes the line
        traceparent, order_id = tracecontext.doing()
        if order_id:
            told.setdefault("order_id", order_id)
        if traceparent:
            told.setdefault("trace_id", tracecontext.trace_id(traceparent))
            told.setdefault("span_id", tracecontext.span_id(traceparent))
        told["level"] = level
        told["at"] = datetime.now(UTC)
        return encode(told)  # escapes control characters: one event is one line

    out = _Out()
    structlog.configure(
        processors=[line],  # one, not seven: to call each takes as long as what it does
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: out,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


class _Out:
    """What structlog writes to, by the name of a level."""

    def __init__(self) -> None:
        self._fd = sys.stdout.fileno()
        self._lines = Lines(self._write)
        atexit.register(self._lines.close)

    def info(self, line: bytes) -> None:
        self._lines.take(line)

    def warning(self, line: bytes) -> None:
        self._lines.take(line)
        self._lines.keep()

    debug = info
    error = critical = warning

    def _write(self, lines: Sequence[bytes]) -> None:
        left = memoryview(b"\n".join((*lines, b"")))
        with contextlib.suppress(OSError):
            while left:  # a file takes all at once, so that nobody reads half a line; a pipe may take less
                left = left[os.write(self._fd, left) :]


class _Bridge(logging.Handler):
    """Records of the standard library's logging become lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = structlog.get_logger(record.name)
        lines.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
