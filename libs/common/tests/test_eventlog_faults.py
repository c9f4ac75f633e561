"""kill -9 at any moment, freezing, a full disk: nothing acknowledged is lost, nothing is done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from common.errors import Unavailable
from common.eventlog import Consumer, Record, Stored, Topic
from common.eventlog.embedded import EmbeddedLog
from common.testing.eventually import eventually

TOPICS = [Topic("in", 3), Topic("out", 2)]


class Zygote:
    """See eventlog_zygote.py."""

    def __init__(self, path: Path) -> None:
        self.journal = path.with_name("journal")
        self.journal.touch()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("eventlog_zygote.py")), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._alive: set[int] = set()

    def start(self, role: str, member: str, pause: int = 0) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{role} {member} {pause} {self.journal}\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self._alive.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self._alive.discard(pid)

    def journalled(self) -> list[str]:
        return self.journal.read_text().splitlines()

    def goes_on(self) -> None:
        """Wait for a few more acknowledgements."""
        before = len(self.journalled())
        eventually(self.journalled, lambda lines: len(lines) > before + 20)

    def close(self) -> None:
        for pid in list(self._alive):
            self.kill(pid)
        self._process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    log = EmbeddedLog(path)
    log.create(TOPICS)
    log.close()
    return path


@pytest.fixture
def zygote(path: Path) -> Iterator[Zygote]:
    zygote = Zygote(path)
    yield zygote
    zygote.close()


def test_kill_9_loses_nothing_acknowledged_and_doubles_nothing(path: Path, zygote: Zygote) -> None:
    chance = random.Random(9)
    workers = {member: zygote.start("work", member) for member in ("w0", "w1")}
    appenders = {member: zygote.start("append", member) for member in ("a0", "a1")}
    for _ in range(30):
        for slots, role in chance.choice(
            [[(workers, "work")], [(appenders, "append")], [(workers, "work"), (appenders, "append")]]
        ):
            member = chance.choice(sorted(slots))
            time.sleep(chance.random() * 0.1)
            zygote.kill(slots[member])
            slots[member] = zygote.start(role, member)
    for pid in appenders.values():
        zygote.kill(pid)
    _check(path, zygote)


def test_a_frozen_process_is_fenced_when_it_goes_on(path: Path, zygote: Zygote) -> None:
    workers = [zygote.start("work", f"w{n}", pause=30) for n in range(2)]
    appender = zygote.start("append", "a0", pause=2)
    for turn in range(6):
        zygote.goes_on()
        frozen = workers[turn % 2]
        os.kill(frozen, signal.SIGSTOP)
        time.sleep(0.5)  # longer than its lease
        os.kill(frozen, signal.SIGCONT)
    eventually(zygote.journalled, lambda lines: "fenced" in lines)
    zygote.kill(appender)
    _check(path, zygote)


def test_a_full_disk_refuses_writes_and_recovers(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        _fill_and_free(disk)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill_and_free(disk: Path) -> None:
    filler = disk / "filler"
    filler.write_bytes(bytes(1_000_000))
    log = EmbeddedLog(disk / "log.db")
    log.create(TOPICS)
    consumer = log.consumer("in", group="g", member="m")
    log.append([Record("in", f"k{n}", b"before") for n in range(5)]).result(10)
    taken = eventually(lambda: consumer.poll(0.1).records)
    filled = 0
    with pytest.raises(Unavailable, match="full"):
        while True:
            log.append([Record("in", "k", bytes(20_000))]).result(10)
            filled += 1
    assert filled > 5
    with pytest.raises(Unavailable, match="full"):
        _copy(consumer, taken)
    filler.unlink()
    again = eventually(lambda: consumer.poll(0.1, limit=1_000).records)
    assert [each for each in sorted(again) if each.value == b"before"] == sorted(taken)
    _copy(consumer, taken)
    log.append([Record("in", "k", b"after")]).result(10)
    assert sum(log.end_offsets("in").values()) == 5 + filled + 1
    assert sum(log.end_offsets("out").values()) == 5
    consumer.close()
    log.close()


def _copy(consumer: Consumer, taken: Sequence[Stored]) -> None:
    with consumer.transaction() as transaction:
        for each in taken:
            transaction.send(Record("out", each.key, each.value))


def _check(path: Path, zygote: Zygote) -> None:
    """Everything acknowledged is where it was said to be; every input has one output; keys are in order."""
    log = EmbeddedLog(path)
    try:
        want = sum(log.end_offsets("in").values())
        eventually(lambda: sum(log.committed("in", group="workers").values()), lambda done: done >= want, within=30)
        reader = log.reader({(topic.name, p): 0 for topic in TOPICS for p in range(topic.partitions)})
        found: list[Stored] = []
        while batch := reader.poll(0.0):
            found += batch
        reader.close()
    finally:
        log.close()
    places = {(each.topic, each.partition, each.offset): (each.value or b"").decode() for each in found}
    journal = [line.split() for line in zygote.journalled() if line != "fenced"]
    assert len(journal) > 100
    for topic, partition, offset, value in journal:
        assert places[topic, int(partition), int(offset)] == value
    keys: dict[str, dict[str, list[bytes | None]]] = {"in": defaultdict(list), "out": defaultdict(list)}
    for each in found:
        keys[each.topic][each.key].append(each.value)
    doubles = {value: n for value, n in Counter(each.value for each in found if each.topic == "out").items() if n > 1}
    assert not doubles
    assert keys["out"] == keys["in"]
