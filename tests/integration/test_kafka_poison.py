"""Whatever a client can write to a command topic, its partition moves on: no message is too large or too strange."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from common import topology
from common.codec import Codec, encode
from common.decider import Behaviour, Decision
from common.errors import LogError
from common.eventlog import Cleanup, Record, Topic
from common.eventlog.kafka import KafkaConnection, KafkaLog
from common.messages import Envelope, message
from common.processor import Processor

pytestmark = pytest.mark.kafka

SERVICE = "sizes"
COMMANDS, DEAD_LETTERS, STATE = topology.commands(SERVICE), topology.dead_letters(SERVICE), topology.state(SERVICE)


@message
class Grow:
    by: int


@message
class Grown:
    by: int


BEHAVIOUR: Behaviour[str] = Behaviour(
    service=SERVICE,
    initial="",
    handle=lambda state, given, at: Decision([Grown(given.message.by)]),
    evolve=lambda state, event, at: state + "x" * event.by,
    commands=Codec([Grow]),
    events=Codec([Grown]),
    dump=encode,
    load=msgspec.json.Decoder(str).decode,
)


@pytest.fixture
def log(kafka: str) -> Iterator[KafkaLog]:
    log = KafkaLog(KafkaConnection(kafka))
    kept = [Topic(topic(SERVICE), 1) for topic in (topology.events, topology.dead_letters)]
    log.create([Topic(COMMANDS, 1, retention=3_600_000), Topic(STATE, 1, Cleanup.COMPACT), *kept])
    yield log
    log.close()


@pytest.fixture
def processor(log: KafkaLog) -> Iterator[Processor[str]]:
    processor = Processor(BEHAVIOUR, log, log.consumer(COMMANDS, group=SERVICE, member="0"), lambda: 1)
    yield processor
    processor.close()


def records(log: KafkaLog, topic: str) -> list[Any]:
    end = log.end_offsets(topic)[0]
    reader = log.reader({(topic, 0): 0})
    try:
        found: list[Any] = []
        while reader.positions()[topic, 0] < end:
            found += reader.poll(1.0)
        return found
    finally:
        reader.close()


def largest(log: KafkaLog) -> int:
    """Bytes of the largest value that the log takes, found by trying; each of them is poison."""
    size, step = 1_000_000, 65_536
    while step:
        with suppress(LogError):
            log.append([Record(COMMANDS, "k", b"x" * (size + step), {})]).result(30)
            size += step
        step //= 2
    return size


def consume_all(log: KafkaLog, processor: Processor[str]) -> None:
    while log.committed(COMMANDS, group=SERVICE).get(0, 0) < log.end_offsets(COMMANDS)[0]:
        processor.step(0.5)


def test_the_largest_message_that_can_be_appended_fits_into_the_dead_letters(
    log: KafkaLog, processor: Processor[str]
) -> None:
    size = largest(log)
    consume_all(log, processor)
    assert size in {len(dead.value) for dead in records(log, DEAD_LETTERS)}


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_what_is_no_text_is_set_aside_as_well(
    kafka: str, log: KafkaLog, processor: Processor[str], compression: str | None
) -> None:
    strangers = KafkaProducer(bootstrap_servers=kafka, compression_type=compression)
    strangers.send(COMMANDS, key=b"\xff", value=b"\xff", headers=[("\u00e9", b"\xfe"), ("type", b"Grow")], partition=0)
    strangers.send(COMMANDS, key=None, value=b"{}", partition=0)
    strangers.close()
    before = len(records(log, DEAD_LETTERS))
    consume_all(log, processor)
    assert [dead.key for dead in records(log, DEAD_LETTERS)[before:]] == ["\ufffd", ""]


def test_an_aggregate_may_grow_beyond_a_megabyte(log: KafkaLog, processor: Processor[str]) -> None:
    log.append(
        [Record(COMMANDS, "k", encode(Grow(5_000_000)), Envelope("i", "Grow", 1, 1, "a", "k").headers())]
    ).result(9)
    consume_all(log, processor)
    processor.checkpoint()
    assert max(len(record.value) for record in records(log, STATE)) > 5_000_000
