"""Batches as Kafka keeps them: what is written here the client library reads, and the other way round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from common.errors import LogError
from common.eventlog.kafka.batches import batch, encode, split
from common.eventlog.port import Record

texts = st.text(max_size=200).filter(lambda text: text.isprintable())
records = st.builds(
    Record,
    topic=st.just("t"),
    key=texts,
    value=st.none() | st.binary(max_size=300) | st.integers(60, 9000).map(bytes),
    headers=st.dictionaries(texts, texts, max_size=10),
)


def written(given: list[Record]) -> bytes:
    return batch([encode(each) for each in given], producer=(7, 3), sequence=11, transactional=True, at=1234)


@given(st.lists(records, min_size=1, max_size=150))
def test_the_library_reads_what_is_written_here(given: list[Record]) -> None:
    theirs = DefaultRecordBatch(written(given))
    assert theirs.validate_crc()
    assert (theirs.producer_id, theirs.producer_epoch, theirs.base_sequence) == (7, 3, 11)
    assert theirs.is_transactional and not theirs.is_control_batch
    read = [(r.offset, r.key.decode(), r.value, {k: v.decode() for k, v in r.headers}, r.timestamp) for r in theirs]
    assert read == [(n, r.key, r.value, dict(r.headers), 1234) for n, r in enumerate(given)]


@pytest.mark.parametrize("compression", [0, 1])
@given(given=st.lists(records, min_size=1, max_size=50))
def test_what_the_library_writes_is_read_here(compression: int, given: list[Record]) -> None:
    builder = MemoryRecordsBuilder(2, compression, 1 << 20)
    for n, each in enumerate(given):
        builder.append(1000 + n, each.key.encode(), each.value, [(k, v.encode()) for k, v in each.headers.items()])
    builder.close()
    (ours,) = split(bytes(builder.buffer()))
    assert (ours.base, ours.last) == (0, len(given) - 1)
    read = [(r.partition, r.offset, r.key, r.value, r.headers, r.at) for r in ours.records("t", 5)]
    assert read == [(5, n, r.key, r.value, r.headers, 1000 + n) for n, r in enumerate(given)]


def test_a_batch_that_was_cut_off_is_left_for_the_next_fetch() -> None:
    whole = written([Record("t", "k", b"v")])
    assert len(list(split(whole + whole[:-1]))) == 1
    assert list(split(whole[:11])) == []


def test_a_damaged_batch_is_not_read() -> None:
    damaged = bytearray(written([Record("t", "k", b"value")]))
    damaged[-3] ^= 1
    with pytest.raises(LogError, match="checksum"):
        list(split(bytes(damaged)))
