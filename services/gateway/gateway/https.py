"""HTTPS for the outside, where the gateway is given a certificate: any CA's that its callers trust, and not the platform's.

It is read again when it changes. Callers show none: they are known by their tokens.
"""

import asyncio
import ssl
from pathlib import Path

import structlog

from common.errors import SettingsError
from common.security.credentials import LOOK_EVERY

_log = structlog.get_logger("https")


class Https:
    """Raises SettingsError where the files cannot be used to begin with; later, such files change nothing."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._watching: asyncio.Task[None] | None = None
        try:
            self._seen = self._read()
            self.context = self._made()
        except OSError as error:
            raise SettingsError(f"the edge's certificate {certificate} with key {key}: {error}") from None

    def reload(self) -> None:
        try:
            found = self._read()
            if found == self._seen:
                return
            self._seen = found
            self._made()  # on trial: a context that took half of a bad pair could serve nobody
            self.context.load_cert_chain(*self._files, password="")
        except OSError as error:
            _log.error("a new certificate cannot be used, the one loaded before goes on", error=str(error))

    async def watch(self) -> None:
        """Look from now on, as long as the event loop runs."""
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.reload()

    def _read(self) -> tuple[bytes, ...]:
        return tuple(path.read_bytes() for path in self._files)

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(*self._files, password="")  # an encrypted key is refused, not asked for
        return context
