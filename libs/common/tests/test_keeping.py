"""When spans and log lines are written: together where they belong together, and never long after."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from common.telemetry import keeping
from common.telemetry.keeping import MANY, Lines
from common.testing.eventually import eventually

LOGGING = """
import asyncio, sys, structlog
from common.telemetry import logs

logs.configure("order")
log = structlog.get_logger()

async def tell():
    log.info("first")
    log.warning("second")
    print(open(sys.argv[1]).read().count("event"), file=sys.stderr)
    log.info("third")

asyncio.run(tell())
"""


class Written:
    def __init__(self) -> None:
        self.calls: list[Sequence[bytes]] = []
        self.lines = Lines(self.calls.append)


@pytest.fixture
def written() -> Iterator[Written]:
    found = Written()
    yield found
    found.lines.close()


def test_what_belongs_to_nothing_is_written_at_once(written: Written) -> None:
    written.lines.take(b"1")
    written.lines.take(b"2")
    assert written.calls == [[b"1"], [b"2"]]


def test_what_belongs_together_is_written_together_when_it_is_over(written: Written) -> None:
    with keeping.together():
        written.lines.take(b"1")
        written.lines.take(b"2")
        assert written.calls == []
    assert written.calls == [[b"1", b"2"]]


def test_what_belongs_together_is_written_when_it_failed_too(written: Written) -> None:
    with pytest.raises(KeyError), keeping.together():
        written.lines.take(b"1")
        raise KeyError
    assert written.calls == [[b"1"]]


async def test_what_is_told_on_an_event_loop_is_written_soon_and_together(written: Written) -> None:
    written.lines.take(b"1")
    written.lines.take(b"2")
    assert written.calls == []
    await asyncio.to_thread(eventually, lambda: written.calls == [[b"1", b"2"]])
    written.lines.take(b"3")
    await asyncio.to_thread(eventually, lambda: len(written.calls) == 2)


def test_the_end_of_an_event_loop_loses_nothing_for_the_next(written: Written) -> None:
    async def tell(line: bytes) -> None:
        written.lines.take(line)

    async def wait(line: bytes) -> None:
        await tell(line)
        await asyncio.to_thread(eventually, lambda: written.calls == [[b"1", b"2"]])

    asyncio.run(tell(b"1"))
    asyncio.run(wait(b"2"))


async def test_so_many_do_not_wait_however_busy_the_loop_is(written: Written) -> None:
    for _ in range(MANY):
        written.lines.take(b"1")
    assert [len(it) for it in written.calls] == [MANY]


async def test_the_order_is_that_in_which_it_was_told_whichever_thread_writes(written: Written) -> None:
    written.lines.take(b"1")
    other = threading.Thread(target=written.lines.take, args=(b"2",))
    other.start()
    other.join()
    assert written.calls == [[b"1", b"2"]]


def test_a_warning_is_written_at_once_with_all_before_it_and_the_end_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "order.jsonl"
    with out.open("wb") as stdout:
        command = [sys.executable, "-c", LOGGING, str(out)]
        seen = subprocess.run(command, check=True, timeout=60, stdout=stdout, stderr=subprocess.PIPE, text=True).stderr
    assert seen == "2\n"
    assert [line.partition('"event":"')[2][:5] for line in out.read_text().splitlines()] == ["first", "secon", "third"]


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with full.open("wb") as stdout:
        command = [sys.executable, "-c", LOGGING, "/dev/null"]
        done = subprocess.run(command, timeout=60, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr.splitlines()[0] == "0"
