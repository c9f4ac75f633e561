"""Writing and reading records. The caller holds the transaction."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from common.clock import Instant
from common.eventlog.embedded.catalog import Catalog, Place
from common.eventlog.port import Position, Record, Stored

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode

Row = tuple[int, str, bytes | None, bytes, Instant]


class Placed(NamedTuple):
    """A record that can be written: where it goes is known, and its texts are fit to be stored."""

    place: Place
    key: str
    value: bytes | None
    headers: bytes


def prepare(catalog: Catalog, record: Record) -> Placed:
    """Raises LogError or UnicodeError for one record, so that it is not the transaction that fails."""
    record.key.encode()
    return Placed(catalog.place_of(record), record.key, record.value, _encode(dict(record.headers)))


def ends(sql: sqlite3.Connection, topic_id: int) -> dict[int, int]:
    """The next offset of each partition of a topic."""
    return dict(sql.execute("SELECT partition, next_offset FROM partitions WHERE topic=?", (topic_id,)).fetchall())


def write(sql: sqlite3.Connection, placed: Sequence[Placed], at: Instant) -> list[Position]:
    offsets = {topic_id: ends(sql, topic_id) for topic_id in topics_of(placed)}
    rows: dict[Place, list[Row]] = {}
    positions = []
    for place, key, value, headers in placed:
        topic, partition, topic_id, _ = place
        offset = offsets[topic_id][partition]
        offsets[topic_id][partition] = offset + 1
        rows.setdefault(place, []).append((offset, key, value, headers, at))
        positions.append(Position(topic, partition, offset))
    for place, added in rows.items():
        sql.executemany(f"INSERT INTO {place.table}(offset, key, value, headers, at) VALUES (?, ?, ?, ?, ?)", added)
    sql.executemany(
        "UPDATE partitions SET next_offset=? WHERE topic=? AND partition=?",
        [(added[-1][0] + 1, place.topic_id, place.partition) for place, added in rows.items()],
    )
    return positions


def read(sql: sqlite3.Connection, place: Place, offset: int, end: int, limit: int) -> tuple[list[Stored], int]:
    """Records from `offset` on, and where to go on: at `end`, the partition's next offset, when these are all."""
    topic, partition, _, table = place
    rows = sql.execute(
        f"SELECT offset, key, value, headers, at FROM {table} WHERE offset >= ? ORDER BY offset LIMIT ?",
        (offset, limit),
    ).fetchall()
    found = [Stored(topic, partition, n, key, value, _decode(headers), at) for n, key, value, headers, at in rows]
    return found, end if len(found) < limit else found[-1].offset + 1


def first_offset(sql: sqlite3.Connection, place: Place) -> int | None:
    """The first record still there."""
    (first,) = sql.execute(f"SELECT min(offset) FROM {place.table}").fetchone()
    return None if first is None else int(first)


def topics_of(placed: Iterable[Placed]) -> set[int]:
    return {each.place.topic_id for each in placed}
