"""The JSON-line logs of one platform: rotated at start, read at their end."""

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orderly.folder import Folder

BIGGEST = 20 * 1024 * 1024
TAIL_BYTES = 64 * 1024


def rotate(folder: Folder) -> None:
    """Keep one predecessor of each log that has grown large. Only before anybody writes to them."""
    for log in folder.logs.glob("*.jsonl"):
        if log.stat().st_size > BIGGEST:
            log.replace(log.with_suffix(".jsonl.1"))


def tail(log: Path, lines: int = 12) -> Sequence[str]:
    """The last lines, for people: times and levels first, tracebacks as they are."""
    return [line for raw in deque(_end(log), lines) for line in _readable(raw)]


def last(log: Path) -> Mapping[str, Any]:
    """The fields of the last line that has any."""
    return next((fields for line in reversed(_end(log)) if (fields := parse(line)) is not None), {})


def _end(log: Path) -> Sequence[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _readable(raw: str) -> Iterator[str]:
    fields = parse(raw)
    if fields is None:
        yield raw
        return
    head = [str(fields.pop(name, "")) for name in ("at", "level", "event")]
    trace = str(fields.pop("exception", ""))
    fields.pop("service", None)
    yield " ".join([*head, *(f"{name}={value}" for name, value in fields.items())]).strip()
    yield from trace.splitlines()


def parse(line: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class Follower:
    """What is appended to a log from now on."""

    def __init__(self, log: Path, start: int | None = None) -> None:
        self._file = log.open("rb")
        self._file.seek(start or 0, os.SEEK_SET if start is not None else os.SEEK_END)
        self._half = b""

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """The complete lines since the last call; those that are not ours are left out. An emptied file begins anew."""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._half = b""
        *whole, self._half = (self._half + self._file.read()).split(b"\n")
        for line in whole:
            if (fields := parse(line)) is not None:
                yield fields

    def close(self) -> None:
        self._file.close()
