"""A gateway that is told to end, as a process: nobody who keeps his connection is left without an answer."""

import asyncio
import signal
import socket
import subprocess
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from common.testing.certificates import Certificates
from common.testing.http import read_reply
from common.testing.process import listening, process

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

LEAVE = 4  # seconds
REQUEST = b"GET /openapi.json HTTP/1.1\r\nHost: gateway.test\r\n\r\n"


def gateway(api: socket.socket, data: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    nobody = "https://127.0.0.1:9"
    settings = {
        "GATEWAY_URL": f"http://127.0.0.1:{api.getsockname()[1]}",
        **{f"{upstream}_URL": nobody for upstream in ("ORDER", "PAYMENT", "INVENTORY")},
        "LEAVE_SECONDS": str(LEAVE),
    }
    return process("gateway", api, Certificates(data / "certs"), data, **settings)


class Kept:
    """A connection that is used again and again."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, api: socket.socket) -> "Kept":
        return cls(*await asyncio.open_connection(*api.getsockname()))

    async def ask(self) -> bool:
        """Whether it may be used again. Raises EOFError and ConnectionError when there is no answer."""
        self._writer.write(REQUEST)
        status, headers, _ = await read_reply(self._reader)
        assert status == 200
        return headers.get("connection") != "close"

    async def end(self) -> None:
        """Returns when the other side has closed it, without another word."""
        assert await self._reader.read() == b""
        self._writer.close()


async def test_who_keeps_a_connection_is_told_that_it_ends_and_loses_no_request(tmp_path: Path) -> None:
    with closing(listening()) as api, gateway(api, tmp_path) as process:
        busy, waiting, idle = [await Kept.to(api) for _ in range(3)]
        assert await waiting.ask()
        assert await idle.ask()
        process.send_signal(signal.SIGTERM)
        while await busy.ask():
            pass
        await asyncio.sleep(1.0)  # which idle connections outlive
        assert not await waiting.ask()
        for connection in (busy, waiting, idle):
            await connection.end()
        assert await asyncio.to_thread(process.wait, 60) == 0
