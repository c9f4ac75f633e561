"""Bytes to a running gateway, as they are, and its answer: what no HTTP client would send."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from system import System

WITHIN = 60.0
MEMBERS = {"type", "title", "status", "detail", "trace_id"}


@dataclass(frozen=True, slots=True)
class Reply:
    """Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def problem(self) -> Any:
        """What it says, when it is a problem that a caller has caused, and nothing else."""
        assert 400 <= self.status < 500, self
        assert self.headers["content-type"] == "application/problem+json"
        found = json.loads(self.body)
        assert set(found) == MEMBERS
        assert found["status"] == self.status
        return found


def exchange(system: System, sent: bytes) -> Reply:
    """One connection, and what is answered first on it."""
    where = urlsplit(system.base_url)
    with socket.create_connection((str(where.hostname), where.port or 80), WITHIN) as connection:
        connection.sendall(sent)
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            lines = iter(answer.readline, b"\r\n")
            pairs = (line.decode("latin-1").partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            return Reply(status, headers, answer.read(int(headers.get("content-length", "0"))))


def request(
    system: System,
    method: str,
    path: str,
    body: bytes = b"",
    *more: str,
    who: str = "alice",
    kind: str = "application/json",
) -> bytes:
    """A good one but for what the caller puts in."""
    lines = [f"{method} {path} HTTP/1.1", "Host: orderly", f"Authorization: Bearer {system.token(who)}", *more]
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
