"""Connections to the endpoints of an upstream, kept and used again, and what comes back over them, as it is.

Redirects are answers, cookies are forgotten, nothing is unpacked, and an answer has an end.
"""

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from yarl import URL

from common.errors import Unavailable

STREAM_SILENCE = 45.0  # seconds; who streams sends a comment now and then
CONNECT_WITHIN = 2.0  # seconds; a listening socket answers in a moment even when its process does not
HANDSHAKE_WITHIN = 5.0  # seconds, the connection included: here the process answers, which may just be starting
IDLE = 30.0  # seconds; less than our servers keep a connection

_NO_AUTOMATIC_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """An answer that comes in pieces, read no faster than they are taken. Not more than one reader."""

    def __init__(self, response: aiohttp.ClientResponse, largest: int, open_ones: "set[Stream]") -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._largest = largest
        self._open_ones = open_ones
        open_ones.add(self)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Ends when the upstream ends it, breaks, or falls silent; leaving early closes the connection."""
        try:
            while chunk := await self._response.content.readany():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError):
            return
        finally:
            self.close()

    async def read(self) -> Answer:
        """The whole of it, when it turned out to be an answer like any other."""
        try:
            return await _read(self._response, self._largest)
        finally:
            self.close()

    def close(self) -> None:
        self._response.close()
        self._open_ones.discard(self)


class Pool:
    """Made at the first request, on the event loop that asks. Raises aiohttp.ClientError, OSError, TimeoutError; Unavailable
    for an answer of more than `largest` bytes. `context` is for `https:`, the web's public CAs unless one is given."""

    def __init__(
        self,
        largest: int,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._largest = largest
        self._middlewares = middlewares
        self._context = context
        self._connect = HANDSHAKE_WITHIN if context else CONNECT_WITHIN
        self.streams: set[Stream] = set()
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, base: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """`path` is sent as it is, query included."""
        url = URL(base + path, encoded=True)
        async with self._opened().request(
            method, url, headers=headers, data=body or None, allow_redirects=False
        ) as response:
            return await _read(response, self._largest)

    async def open(self, base: str, path: str, headers: Mapping[str, str]) -> Stream:
        """GET an answer that may never end; returns when it has begun."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._connect, sock_read=STREAM_SILENCE)
        url = URL(base + path, encoded=True)
        response = await self._opened().get(url, headers=headers, allow_redirects=False, timeout=limits)
        return Stream(response, self._largest, self.streams)

    async def close(self) -> None:
        for stream in list(self.streams):
            stream.close()
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(  # the bulkhead is the limit
                    limit=0, keepalive_timeout=IDLE, ssl=self._context or True
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect),
                skip_auto_headers=_NO_AUTOMATIC_HEADERS,
                auto_decompress=False,
                middlewares=self._middlewares,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse, largest: int) -> Answer:
    body = b""
    while chunk := await response.content.readany():
        body += chunk
        if len(body) > largest:
            response.close()
            raise Unavailable(f"{response.url.host}: an answer of more than {largest} bytes")
    return Answer(response.status, response.headers, body)
