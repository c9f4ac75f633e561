"""The audit log for auditors: what was denied, and what was done to keys, newest first (common/security/audit.py).

State changes are not in it: they are events, and told by the timelines. All processes of a machine write to one file; where
each has a file system of its own, a gateway shows its own denials.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
from fastapi import Request, Response

from common import parameters
from common.respond import as_json

BLOCK = 64 * 1024


class Acts:
    """Of the file `path`; without one there are none. A page's cursor is where it begins in the file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    async def page(self, request: Request) -> Response:
        cursor, limit = parameters.cursor(request), parameters.limit(request)
        if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
            raise parameters.invalid_cursor()
        return as_json(await asyncio.to_thread(self._page, int(cursor) if cursor else None, limit))

    def _page(self, before: int | None, limit: int) -> dict[str, Any]:
        if self._path is None or not self._path.exists():
            return {"items": [], "next_cursor": None}
        with self._path.open("rb") as file:
            end = begin = file.seek(0, os.SEEK_END) if before is None else before
            found = b""
            while (
                begin > 0 and found.count(b"\n") <= limit
            ):  # one more than wanted: that ends the line before the oldest
                length = min(BLOCK, begin)
                begin -= length
                file.seek(begin)
                found = file.read(length) + found
        if before is not None and not (len(found) == end - begin and found.endswith(b"\n")):
            raise parameters.invalid_cursor()
        lines = found.splitlines(keepends=True)
        kept = lines[-limit:]
        begin = end - sum(map(len, kept))
        items = [msgspec.json.decode(line) for line in reversed(kept) if line.endswith(b"\n")]  # whole ones
        return {"items": items, "next_cursor": str(begin) if begin else None}
