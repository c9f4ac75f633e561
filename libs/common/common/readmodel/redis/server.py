"""The blocking side's connection to Redis: commands and scripts, and what an error of Redis means."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.exceptions import RedisError

from common.errors import Unavailable

PATIENCE = 2.0  # seconds for an answer, or for a connection
_PAGE = 1_000  # of what is scanned
RESP = 2  # what every Redis speaks; nothing here needs more

_FOLDER = Path(__file__).parent


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Redis' errors as Unavailable."""
    try:
        yield
    except RedisError as error:
        raise Unavailable(f"Redis at {address(url)}: {error}") from error


def address(url: str) -> str:
    """Where a URL leads, without the secrets in it."""
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"


class Server:
    """Connects with the first command, and again with the next one after an error. Nothing is tried twice: whether a command
    that failed was carried out is unknown."""

    def __init__(self, url: str) -> None:
        self._url = url
        pool = redis.ConnectionPool.from_url(
            url, protocol=RESP, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, socket_keepalive=True
        )
        self._redis = redis.Redis(connection_pool=pool)
        self._scripts: dict[str, Any] = {}

    def ask(self, *command: Any) -> Any:
        """The answer as it came. Raises Unavailable."""
        with explained(self._url):
            return self._redis.execute_command(*command)

    def ask_all(self, *commands: Sequence[Any]) -> list[Any]:
        """The answers, all from one moment."""
        with explained(self._url), self._redis.pipeline(transaction=True) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute()

    def run(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        """Run `<script>.lua`."""
        if script not in self._scripts:
            self._scripts[script] = self._redis.register_script((_FOLDER / f"{script}.lua").read_text())
        with explained(self._url):
            return self._scripts[script](keys, arguments)

    def scan(self, pattern: str) -> Iterator[bytes]:
        """The keys of this name. Those that come or go meanwhile may be among them."""
        with explained(self._url):
            yield from self._redis.scan_iter(pattern, count=_PAGE)

    def scan_hash(self, key: str) -> Iterator[tuple[bytes, bytes]]:
        """Its fields and their values. Those that are there all the time are among them."""
        with explained(self._url):
            yield from self._redis.hscan_iter(key, count=_PAGE)

    def close(self) -> None:
        self._redis.close()


def run_id(info: bytes) -> bytes:
    """Which run of Redis this is, out of `INFO server`: another one after each restart."""
    return next(line[7:].strip() for line in info.splitlines() if line.startswith(b"run_id:"))
