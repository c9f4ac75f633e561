"""What is written to a connection at one go leaves at one go: an answer's head and body, which uvicorn writes one after the
other, are one TLS record, one system call, and one thing for the other end to wake up for.
"""

import asyncio
from typing import Any

AT_ONCE = 64 * 1024  # bytes; more of them go on their way, so that the flow control sees them


class Gathering(asyncio.Transport):
    """Another transport, written to when the event loop has done what it is at."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def write(self, data: Any) -> None:
        if not self._gathered:
            self._loop.call_soon(self._flush)
        self._gathered.append(data)
        self._size += len(data)
        if self._size > AT_ONCE:
            self._flush()

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """What was not sent yet is not."""
        self._gathered.clear()
        self._transport.abort()

    def _flush(self) -> None:
        if self._gathered:
            gathered, self._size = b"".join(self._gathered), 0
            self._gathered.clear()
            self._transport.write(gathered)
