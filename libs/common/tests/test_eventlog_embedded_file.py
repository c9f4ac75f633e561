"""The embedded log's file: what goes wrong with it is said plainly, and nobody waits longer than needed."""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import LogError, Unavailable
from common.eventlog import Record, Topic
from common.eventlog.embedded import EmbeddedLog
from common.eventlog.embedded.catalog import Catalog
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.housekeeping import Housekeeping
from common.eventlog.embedded.lock import WriteLock
from common.eventlog.embedded.notify import meeting_place
from common.testing.eventually import eventually

TOPIC = Topic("t", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(path, capacity=10)
    log.create([TOPIC])
    yield log
    log.close()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nowhere.*directory exists"):
        EmbeddedLog(tmp_path / "nowhere" / "log.db")


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("not a database, but long enough to look at\n" * 100)
    with pytest.raises(LogError, match="not a log"):
        EmbeddedLog(path)
    assert path.read_text().startswith("not a database")


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs(x)")
    other.close()
    with pytest.raises(LogError, match="another program"):
        EmbeddedLog(path)


def test_a_file_of_a_newer_version_is_refused(path: Path, log: EmbeddedLog) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(LogError, match=r"version 99.*run the version"):
        EmbeddedLog(path)


def test_a_log_whose_directory_was_deleted_says_so(path: Path, log: EmbeddedLog) -> None:
    log.append([Record("t", "k", b"v")]).result(10)
    shutil.rmtree(path.parent)
    with pytest.raises(Unavailable, match="directory exists"):
        eventually(lambda: not log.append([Record("t", "k", b"v")]).result(10))


def test_only_this_user_can_read_the_log(path: Path, log: EmbeddedLog) -> None:
    log.append([Record("t", "k", b"v")]).result(10)
    assert {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {
        "log.db": 0, "log.db-wal": 0, "log.db-shm": 0, "log.db.lock": 0
    }  # fmt: skip


def test_a_writer_that_waits_in_vain_names_the_one_who_holds_the_lock(path: Path) -> None:
    with WriteLock(path, patience=1.0):
        waiting = WriteLock(path, patience=0.1)
        with pytest.raises(Unavailable, match=rf"process {os.getpid()} .*kill -CONT"), waiting:
            pass
        waiting.close()


def test_the_lock_of_a_killed_process_is_free(path: Path, log: EmbeddedLog) -> None:
    code = (
        f"import fcntl, os, signal; f = open({str(path) + '.lock'!r}, 'r+'); fcntl.flock(f, 2); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert log.append([Record("t", "k", b"v")]).result(2)


def test_more_appends_than_may_wait_are_refused_without_blocking(path: Path, log: EmbeddedLog) -> None:
    log.append([Record("t", "k", b"first")]).result(10)
    with path.with_name("log.db.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        futures = [log.append([Record("t", "k", b"v")]) for _ in range(50)]
        refused = [future for future in futures if future.done()]
        assert len(refused) >= 30
        with pytest.raises(Unavailable, match="wait to be written"):
            refused[0].result()
    accepted = [future.result(10) for future in futures if future not in refused]
    assert log.end_offsets("t") == {0: 1 + len(accepted)}


def test_closing_finishes_what_was_appended(path: Path) -> None:
    log = EmbeddedLog(path)
    log.create([TOPIC])
    futures = [log.append([Record("t", "k", b"v")]) for _ in range(200)]
    log.close()
    assert all(future.done() and not future.exception() for future in futures)
    with pytest.raises(Unavailable, match="closed"):
        log.append([Record("t", "k", b"v")]).result(1)


def test_a_cancelled_append_does_not_hurt_the_next(path: Path, log: EmbeddedLog) -> None:
    with path.with_name("log.db.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        log.append([Record("t", "k", b"in work")])
        time.sleep(0.1)
        cancelled = log.append([Record("t", "k", b"cancelled")])
        assert cancelled.cancel()
        after = log.append([Record("t", "k", b"after")])
    assert after.result(10)[0].offset == 1


def test_a_waiting_reader_hears_at_once(log: EmbeddedLog) -> None:
    reader = log.reader({("t", 0): 0})
    waits: list[float] = []
    for _ in range(20):
        sent: list[float] = []

        def write(sent: list[float] = sent) -> None:
            time.sleep(0.02)
            log.append([Record("t", "k", b"v")]).result(10)
            sent.append(time.monotonic())

        writer = threading.Thread(target=write)
        writer.start()
        assert reader.poll(10)
        heard = time.monotonic()
        writer.join()
        waits.append(heard - sent[0])
    reader.close()
    assert sorted(waits)[len(waits) // 2] < 0.1  # a timed look would need half a second on average


def test_a_lost_notification_only_delays(path: Path, log: EmbeddedLog) -> None:
    reader = log.reader({("t", 0): 0})
    for watcher in meeting_place(path).iterdir():
        watcher.unlink()
    timer = threading.Timer(0.1, lambda: log.append([Record("t", "k", b"v")]))
    timer.start()
    started = time.monotonic()
    assert reader.poll(10)
    assert time.monotonic() - started < 5
    timer.join()
    reader.close()


def test_watchers_of_the_dead_are_cleared_away(path: Path, log: EmbeddedLog) -> None:
    code = f"""
import os
from common.eventlog.embedded import EmbeddedLog
log = EmbeddedLog({str(path)!r})
reader = log.reader({{("t", 0): 0}})
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    place = meeting_place(path)
    assert list(place.iterdir())

    def after_a_write() -> list[Path]:
        log.append([Record("t", "k", b"v")]).result(10)
        return list(place.iterdir())

    eventually(after_a_write, lambda left: not left)


def test_a_meeting_place_of_somebody_else_is_not_trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path.parent)) if len(str(path.parent)) < 50 else None
    place = meeting_place(path)
    place.chmod(0o777)
    try:
        with pytest.raises(LogError, match="private"):
            EmbeddedLog(path)
    finally:
        place.rmdir()


def test_an_idle_consumer_costs_next_to_nothing(log: EmbeddedLog) -> None:
    consumer = log.consumer("t", group="g", member="m")
    consumer.poll(0.0)
    spent = time.thread_time()
    assert not consumer.poll(2.0).records
    spent = time.thread_time() - spent
    consumer.close()
    assert spent < 0.06  # 3 % of a core, by far


def test_the_write_ahead_log_starts_over_after_a_checkpoint(path: Path, log: EmbeddedLog) -> None:
    database = Database(path)
    housekeeping = Housekeeping(database, Catalog(database, threading.Lock()))
    sizes = []
    for _ in range(10):
        for _ in range(40):
            log.append([Record("t", "k", bytes(5_000)) for _ in range(20)]).result(10)
        housekeeping.checkpoint()
        sizes.append(path.with_name("log.db-wal").stat().st_size)
    database.close()
    assert sizes[-1] < 6 * sizes[0]  # of ten times as much that was written


def test_of_all_processes_one_does_the_housekeeping(path: Path) -> None:
    logs = [EmbeddedLog(path, housekeeping=True) for _ in range(3)]
    file = path.with_name("log.db.housekeeper")
    eventually(file.exists)
    time.sleep(0.1)
    with file.open("r+") as tried, pytest.raises(BlockingIOError):
        fcntl.flock(tried, fcntl.LOCK_EX | fcntl.LOCK_NB)
    for log in logs:
        log.close()
    with file.open("r+") as tried:
        fcntl.flock(tried, fcntl.LOCK_EX | fcntl.LOCK_NB)
