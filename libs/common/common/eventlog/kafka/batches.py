"""Records as Kafka keeps them: batches of format 2 (KIP-98), uncompressed.

The client library has the same in general. This is for what Orderly writes, straight from and to the port's records, and takes
half of its time to write and two thirds of it to read.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

from crc32c import crc32c
from kafka.record.default_records import DefaultRecordBatch

from common.errors import LogError
from common.eventlog.port import Record, Stored

# base offset, length, leader epoch, magic, crc | attributes, last offset delta, first and max timestamp, producer id,
# producer epoch, base sequence, count
_HEAD = struct.Struct(">qiibI")
_BODY = struct.Struct(">hiqqqhii")
_BEFORE_LENGTH = 12
_COMPRESSED, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_NULL = b"\x01"  # the zigzag varint of -1


def _varint(number: int) -> bytes:
    """Zigzag, of a number that is not negative."""
    number <<= 1
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


_SMALL = [_varint(number) for number in range(4096)]


def _size(number: int) -> bytes:
    return _SMALL[number] if number < 4096 else _varint(number)


def encode(record: Record) -> bytes:
    """All of the record but its place in a batch. Raises UnicodeError."""
    key, value = record.key.encode(), record.value
    parts = [_size(len(key)), key]
    parts += (_NULL,) if value is None else (_size(len(value)), value)
    parts.append(_size(len(record.headers)))
    for name, text in record.headers.items():
        raw_name, raw_text = name.encode(), text.encode()
        parts += (_size(len(raw_name)), raw_name, _size(len(raw_text)), raw_text)
    return b"".join(parts)


def batch(encoded: Sequence[bytes], *, producer: tuple[int, int], sequence: int, transactional: bool, at: int) -> bytes:
    """`producer`: id and epoch; `at`: the time, which the broker replaces."""
    count = len(encoded)
    attributes = _TRANSACTIONAL if transactional else 0
    parts = [_BODY.pack(attributes, count - 1, at, at, *producer, sequence, count)]
    for delta, each in enumerate(encoded):
        offset = _size(delta)
        parts += (_size(2 + len(offset) + len(each)), b"\0\0", offset, each)
    body = b"".join(parts)
    return _HEAD.pack(0, len(body) + _HEAD.size - _BEFORE_LENGTH, -1, 2, crc32c(body)) + body


class Batch:
    """One batch of a fetched partition."""

    __slots__ = ("_attributes", "_body", "_count", "_raw", "_times", "base", "last", "producer")

    def __init__(self, raw: bytes) -> None:
        self.base, _, _, magic, crc = _HEAD.unpack_from(raw)
        if magic != 2:
            raise LogError(f"offset {self.base}: format {magic} is older than Kafka 0.11; write the topic anew")
        if crc32c(memoryview(raw)[_HEAD.size :]) != crc:
            raise LogError(f"offset {self.base}: the checksum is wrong; the record was damaged on its way or on disk")
        (self._attributes, delta, first, latest, self.producer, _, _, self._count) = _BODY.unpack_from(raw, _HEAD.size)
        self.last = self.base + delta
        self._times = first, latest
        self._raw = raw

    @property
    def transactional(self) -> bool:
        return bool(self._attributes & _TRANSACTIONAL)

    @property
    def control(self) -> bool:
        """A marker that ends a transaction, not for readers."""
        return bool(self._attributes & _CONTROL)

    def aborts(self) -> bool:
        """Of a control batch: its only record's key is a version and the kind of the marker, 0 for an abort."""
        position = _HEAD.size + _BODY.size
        for _ in range(4):  # length, attributes, timestamp and offset delta
            _, position = _read_varint(self._raw, position)
        _, position = _read_varint(self._raw, position)
        return self._raw[position + 2 : position + 4] == b"\0\0"

    def records(self, topic: str, partition: int) -> Iterator[Stored]:
        if self._attributes & _COMPRESSED:
            yield from self._decompressed(topic, partition)
            return
        raw, position, base = self._raw, _HEAD.size + _BODY.size, self.base
        first, latest = self._times
        append_time = self._attributes & _APPEND_TIME
        for _ in range(self._count):
            _, position = _read_varint(raw, position)
            age, position = _read_varint(raw, position + 1)
            delta, position = _read_varint(raw, position)
            key, position = _read_bytes(raw, position)
            value, position = _read_bytes(raw, position)
            count, position = _read_varint(raw, position)
            headers = {}
            for _ in range(count):
                name, position = _read_bytes(raw, position)
                text, position = _read_bytes(raw, position)
                headers[_text(name)] = _text(text)
            at = latest if append_time else first + age
            yield Stored(topic, partition, base + delta, _text(key), value, headers, at)

    def _decompressed(self, topic: str, partition: int) -> Iterator[Stored]:
        """Others may compress what they write; the library can read it."""
        for each in DefaultRecordBatch(self._raw):
            headers: Mapping[str, str] = {name: _text(text) for name, text in each.headers}
            yield Stored(topic, partition, each.offset, _text(each.key), each.value, headers, each.timestamp)


def split(raw: bytes) -> Iterator[Batch]:
    """The whole batches of a fetched partition; the last may have been cut off."""
    position, end = 0, len(raw)
    while position + _BEFORE_LENGTH <= end:
        (length,) = struct.unpack_from(">i", raw, position + 8)
        after = position + _BEFORE_LENGTH + length
        if after > end:
            return
        yield Batch(raw[position:after])
        position = after


def _text(raw: bytes | None) -> str:
    """What strangers write need not be UTF-8: it must not stop who reads the rest."""
    return "" if raw is None else raw.decode(errors="replace")


def _read_varint(raw: bytes, position: int) -> tuple[int, int]:
    byte = raw[position]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position + 1
    number, shift = byte & 0x7F, 7
    while True:
        position += 1
        byte = raw[position]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), position + 1
        shift += 7


def _read_bytes(raw: bytes, position: int) -> tuple[bytes | None, int]:
    byte = raw[position]
    if byte < 0x80 and not byte & 1:
        start = position + 1
        after = start + (byte >> 1)
        return raw[start:after], after
    size, position = _read_varint(raw, position)
    return (None, position) if size < 0 else (raw[position : position + size], position + size)
