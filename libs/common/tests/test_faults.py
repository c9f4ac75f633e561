"""Every switch does what it says, at its one place, and nothing when it is not set."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from common import faults
from common.application import Application
from common.clock import system_clock
from common.errors import Unavailable
from common.eventlog import EventLog, Record, Stored, Topic
from common.eventlog.memory import MemoryLog
from common.faults import catalog, flagd
from common.faults.burden import Burden
from common.faults.eventlog import FaultyLog, shuffled
from common.faults.serving import FaultyServer
from common.faults.switches import Switches
from common.http_client import Upstream
from common.respond import as_json
from common.settings import Listening
from common.telemetry.metrics import FAULT_HITS
from common.testing.eventually import eventually
from common.testing.http import Address, serving

TOPIC = Topic("order.commands", 3)


class Board:
    """The switches of `order`, set by a test as the command line sets them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / faults.OVERRIDES
        self._set: dict[str, flagd.Flag] = {}
        self.switches = Switches("order", [self._path])

    def set(self, name: str, value: str, until: float | None = None) -> None:
        number = catalog.parse(catalog.find(f"order.{name}"), value)
        metadata: dict[str, bool | float | str] = {} if until is None else {"until": until}
        self._set[f"order.{name}"] = flagd.Flag({"off": 0.0, value: number}, value, metadata=metadata)
        self._write(name, number)

    def clear(self, name: str) -> None:
        del self._set[f"order.{name}"]
        self._write(name, 0.0)

    def _write(self, name: str, number: float) -> None:
        flagd.write(self._path, self._set)
        fault = catalog.find(f"order.{name}")
        eventually(lambda: self.switches.value(fault), lambda value: value == number)

    def hits(self, name: str) -> float:
        found = FAULT_HITS.labels(f"order.{name}")
        return float(next(iter(found.collect())).samples[0].value)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


@pytest.fixture
def log(board: Board) -> Iterator[EventLog]:
    log = FaultyLog(MemoryLog(system_clock), board.switches)
    log.create([TOPIC])
    yield log
    log.close()


@asynccontextmanager
async def served(board: Board) -> AsyncIterator[tuple[Address, list[str]]]:
    """A service that remembers what it was asked."""
    app, heard = Application("orders"), list[str]()

    @app.post("/orders")
    async def place(request: Request) -> Response:
        heard.append((await request.body()).decode())
        return as_json({"amount": 1999, "text": "tea"})

    async with serving(FaultyServer(app, board.switches)) as address:
        yield address, heard


def test_where_switches_are_not_enabled_nothing_is_wrapped(tmp_path: Path) -> None:
    assert (off := faults.switches_of("order", tmp_path, Listening())) is None
    log = MemoryLog(system_clock)
    assert faults.around(log, off) is log
    assert faults.calls(off) == ()


async def test_without_a_switch_everything_is_as_it_was(board: Board, log: EventLog) -> None:
    async with served(board) as (address, _):
        reply = await address.request("POST", "/orders", body=b"{}")
    assert (reply.status, reply.json()) == (200, {"amount": 1999, "text": "tea"})
    consumer = log.consumer(TOPIC.name, group="g", member="0")
    log.append([Record(TOPIC.name, "a", b"1")]).result(5)
    assert [record.value for record in consumer.poll(5).records] == [b"1"]


async def test_latency_delays_the_answer(board: Board) -> None:
    async with served(board) as (address, _):
        board.set("latency", "150ms")
        began = time.monotonic()
        assert (await address.request("POST", "/orders", body=b"{}")).status == 200
        assert time.monotonic() - began >= 0.15


async def test_an_error_is_a_problem_that_says_when_to_come_back_and_nothing_was_done(board: Board) -> None:
    async with served(board) as (address, heard):
        board.set("errors", "100%")
        reply = await address.request("POST", "/orders", body=b"{}")
    assert (reply.status, reply.is_problem, reply.headers["retry-after"], heard) == (503, True, "1", [])


async def test_a_dropped_answer_was_done(board: Board) -> None:
    async with served(board) as (address, heard):
        board.set("drop", "100%")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await address.request("POST", "/orders", body=b"{}")
    assert heard == ["{}"]


async def test_a_wrong_answer_has_the_right_form(board: Board) -> None:
    async with served(board) as (address, _):
        board.set("wrong", "100%")
        reply = await address.request("POST", "/orders", body=b"{}")
    assert (reply.status, reply.json()) == (200, {"amount": 9111, "text": "tea"})


async def test_a_call_that_never_left_is_not_heard_and_one_whose_answer_was_lost_is(board: Board) -> None:
    quiet = Switches("payment", [])
    async with served(board) as (address, heard):
        upstream = Upstream("order", address.url, middlewares=faults.calls(board.switches))
        other = Upstream("order", address.url, middlewares=faults.calls(quiet))
        try:
            assert (await other.request("POST", "/orders", body=b"0")).status == 200
            board.set("call-errors", "100%")
            with pytest.raises(Unavailable):
                await upstream.request("POST", "/orders", body=b"1")
            board.clear("call-errors")
            board.set("call-drop", "100%")
            with pytest.raises(Unavailable):
                await upstream.request("POST", "/orders", body=b"2")
        finally:
            await upstream.close()
            await other.close()
    assert heard == ["0", "2"]


async def test_a_call_can_leave_late(board: Board) -> None:
    async with served(board) as (address, _):
        board.set("call-latency", "150ms")
        async with aiohttp.ClientSession(address.url, middlewares=tuple(faults.calls(board.switches))) as session:
            began = time.monotonic()
            async with session.post("/orders", data=b"{}") as response:
                assert response.status == 200
            assert time.monotonic() - began >= 0.15


def test_a_frozen_consumer_takes_nothing_until_it_thaws_or_is_woken(board: Board, log: EventLog) -> None:
    consumer = log.consumer(TOPIC.name, group="g", member="0")
    log.append([Record(TOPIC.name, "a", b"1")]).result(5)
    board.set("freeze", "on")
    consumer.wake()
    assert consumer.poll(5).records == ()
    board.clear("freeze")
    assert [record.value for record in consumer.poll(5).records] == [b"1"]


def test_commands_are_handled_late(board: Board, log: EventLog) -> None:
    consumer = log.consumer(TOPIC.name, group="g", member="0")
    log.append([Record(TOPIC.name, "a", b"1")]).result(5)
    board.set("latency", "150ms")
    began = time.monotonic()
    assert len(consumer.poll(5).records) == 1
    assert time.monotonic() - began >= 0.15


def test_a_duplicate_is_written_twice_and_acknowledged_once(board: Board, log: EventLog) -> None:
    board.set("duplicate", "100%")
    assert len(log.append([Record(TOPIC.name, "a", b"1")]).result(5)) == 1
    assert sum(log.end_offsets(TOPIC.name).values()) == 2


def test_a_refused_append_is_not_written_and_a_lost_word_is_of_one_that_was(board: Board, log: EventLog) -> None:
    board.set("append-errors", "100%")
    with pytest.raises(Unavailable, match="nothing was written"):
        log.append([Record(TOPIC.name, "a", b"1")]).result(5)
    assert sum(log.end_offsets(TOPIC.name).values()) == 0
    board.clear("append-errors")
    board.set("append-drop", "100%")
    with pytest.raises(Unavailable, match="may be written"):
        log.append([Record(TOPIC.name, "a", b"1")]).result(5)
    assert sum(log.end_offsets(TOPIC.name).values()) == 1


@given(st.lists(st.integers(0, 3)))
def test_reordering_keeps_the_order_of_each_partition_and_loses_nothing(partitions: list[int]) -> None:
    records = [Stored("t", partition, offset, "", b"", {}, 0) for offset, partition in enumerate(partitions)]
    found = shuffled(records)
    assert sorted(found) == sorted(records)
    for partition in range(4):
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == sorted(offsets)


def test_a_batch_is_reordered(board: Board, log: EventLog) -> None:
    board.set("reorder", "on")
    consumer = log.consumer(TOPIC.name, group="g", member="0")
    log.append([Record(TOPIC.name, key, b"") for key in "abcdefgh"]).result(5)
    records = consumer.poll(5).records
    assert sorted(record.key for record in records) == list("abcdefgh")


def test_memory_grows_to_its_bound_and_is_given_back(board: Board) -> None:
    burden = Burden(board.switches)
    board.set("memory", "5MB")
    for _ in range(5):
        burden.step(0)
    assert 3e6 < burden.held <= 5e6
    board.clear("memory")
    burden.step(0)
    assert burden.held == 0


def test_cpu_is_burned(board: Board) -> None:
    burden = Burden(board.switches)
    burden.wake()
    board.set("cpu", "50%")
    before = time.thread_time()
    burden.step(0)
    assert time.thread_time() - before > 0.005
    assert board.hits("cpu") >= 1


def test_a_share_strikes_so_often_and_each_hit_is_counted(tmp_path: Path) -> None:
    draws = iter([0.05, 0.15, 0.95, 0.19])
    board = Board(tmp_path)
    board.switches = Switches("order", [tmp_path / faults.OVERRIDES], lambda: next(draws))
    board.set("errors", "20%")
    before = board.hits("errors")
    struck = Counter(board.switches.strikes(catalog.ERRORS) for _ in range(4))
    assert (struck[True], board.hits("errors") - before) == (3, 3)


def test_a_switch_may_end_by_itself(board: Board) -> None:
    board.set("latency", "2s", until=time.time() + 60)
    board.set("cpu", "1%")
    path = board._path
    flags = flagd.read(path)
    flagd.write(path, {**flags, "order.latency": flagd.Flag({"2s": 2.0}, "2s", metadata={"until": time.time() - 1})})
    eventually(lambda: board.switches.value(catalog.LATENCY), lambda value: value == 0)
    assert board.switches.value(catalog.CPU) > 0
