"""One pool of connections per upstream: an answer within the deadline, or `Unavailable`.

A failed attempt is repeated where that cannot do anything twice: the connection was never made, the method is idempotent, or
the request carries an Idempotency-Key. Pauses have full jitter, so that callers who failed together do not return together
(Brooker, "Exponential Backoff and Jitter", 2015). Redirects are answers like any other, and none is followed.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from common.errors import Unavailable

DEADLINE = 10.0
ATTEMPTS = 3
FIRST_PAUSE = 0.1  # seconds at most; twice as long after each further attempt
LARGEST_ANSWER = 8 * 1024 * 1024
MOST_CONNECTIONS = 256
MOST_STREAMS = 128  # of those connections: endless answers must leave room for the others
STREAM_SILENCE = 45.0  # seconds; who streams sends a comment now and then

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_NO_AUTOMATIC_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """An answer that comes in pieces, read no faster than they are taken. Not more than one reader."""

    def __init__(self, upstream: "Upstream", response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._upstream = upstream
        self._response = response

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
            return await _read(self._response)
        finally:
            self.close()

    def close(self) -> None:
        self._response.close()
        self._upstream.streams.discard(self)


class Upstream:
    """A service, by name and address. The pool is made at the first request, on the event loop that asks."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self.streams: set[Stream] = set()
        self._base = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        within: float = DEADLINE,
        repeatable: bool = False,
    ) -> Answer:
        """`path` is sent as it is, query included. `repeatable`: known to do nothing twice, whatever the method."""
        repeatable = repeatable or method in _IDEMPOTENT or (headers is not None and "Idempotency-Key" in headers)
        try:
            async with asyncio.timeout(within):
                for attempt in range(1, ATTEMPTS + 1):
                    try:
                        return await self._attempt(method, path, headers, body)
                    except (aiohttp.ClientError, OSError) as error:
                        never_sent = isinstance(error, aiohttp.ClientConnectorError)
                        if attempt == ATTEMPTS or not (repeatable or never_sent):
                            raise Unavailable(f"{self.name}: {type(error).__name__}; try again") from error
                    await asyncio.sleep(random.uniform(0, FIRST_PAUSE * 2 ** (attempt - 1)))
        except TimeoutError:
            raise Unavailable(f"{self.name}: no answer within {within:g} s; try again") from None
        raise AssertionError("the last attempt returns or raises")

    async def stream(self, path: str, headers: Mapping[str, str] | None = None, within: float = DEADLINE) -> Stream:
        """GET an answer that may never end. The deadline is for its beginning."""
        if len(self.streams) >= MOST_STREAMS:
            raise Unavailable(f"{self.name}: {MOST_STREAMS} streams are open; try again")
        limits = aiohttp.ClientTimeout(total=None, sock_read=STREAM_SILENCE)
        try:
            async with asyncio.timeout(within):
                response = await self._pool().get(
                    URL(self._base + path, encoded=True), headers=headers, allow_redirects=False, timeout=limits
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{self.name}: {type(error).__name__}; try again") from error
        stream = Stream(self, response)
        self.streams.add(stream)
        return stream

    async def close(self) -> None:
        for stream in list(self.streams):
            stream.close()
        if self._session is not None:
            await self._session.close()

    async def _attempt(self, method: str, path: str, headers: Mapping[str, str] | None, body: bytes) -> Answer:
        url = URL(self._base + path, encoded=True)
        async with self._pool().request(
            method, url, headers=headers, data=body or None, allow_redirects=False
        ) as response:
            return await _read(response)

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=DEADLINE),
                skip_auto_headers=_NO_AUTOMATIC_HEADERS,
                auto_decompress=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> Answer:
    body = b""
    while chunk := await response.content.readany():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            response.close()
            raise Unavailable(f"{response.url.host}: an answer of more than {LARGEST_ANSWER} bytes")
    return Answer(response.status, response.headers, body)
