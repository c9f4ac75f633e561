"""One child under the supervisor's eye. Time is an argument, so that patience costs the test none."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orderly.child import PATIENCE, Child, Plan, delay
from orderly.fleet import open_doors, plans
from orderly.folder import Folder
from orderly.servers import Servers
from orderly.shape import Shape
from orderly.sockets import listen
from orderly.testing import eventually, make_standins


class Watched:
    """A child, and what was said about it."""

    def __init__(self, plan: Plan, said: list[dict[str, Any]]) -> None:
        self.said = said
        self.child = Child(plan, lambda event, **fields: said.append({"event": event, **fields}))

    def events(self) -> list[str]:
        return [it["event"] for it in self.said]

    def pid(self) -> int:
        process = self.child.report().process
        assert process is not None
        return process.pid

    def hears_from_it(self, now: float) -> bool:
        self.child.step(now)
        return self.child._heartbeat.answered


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setenv("PYTHONPATH", str(make_standins(tmp_path)))
    folder = Folder(tmp_path)
    folder.make()
    posts = Shape().posts()
    doors = open_doors(posts, listen())
    (plan,) = [it for it in plans(folder, posts, doors, "embedded", Servers()) if it.name == "order"]
    made = Watched(plan, [])
    try:
        yield made
        made.child.ask_to_stop()
        eventually(lambda: made.child.step(0) > 0 and made.child.gone)
    finally:
        for door in doors.values():
            door.close()


def test_restarts_come_quickly_at_first_and_never_slower_than_every_ten_seconds() -> None:
    assert [delay(deaths) for deaths in (1, 2, 3, 6, 7, 50)] == [0.2, 0.4, 0.8, 6.4, 10.0, 10.0]


def test_a_dead_child_is_started_again_after_its_delay(watched: Watched) -> None:
    watched.child.step(0)
    os.kill(watched.pid(), signal.SIGKILL)
    eventually(lambda: watched.child.step(1) > 0 and watched.child.gone)
    watched.child.step(1.1)
    assert watched.child.gone
    watched.child.step(1.3)
    assert watched.events() == ["service_started", "service_died", "service_started"]


def test_a_silent_child_is_killed_and_started_again(watched: Watched) -> None:
    eventually(lambda: watched.hears_from_it(0))
    os.kill(watched.pid(), signal.SIGSTOP)
    for now in range(1, int(PATIENCE) + 5):
        watched.child.step(now)
    assert watched.events() == ["service_started"]  # silent since the question at 5 s: still within its patience
    watched.child.step(PATIENCE + 6)
    eventually(lambda: watched.child.step(PATIENCE + 7) > 0 and watched.child.gone)
    assert watched.events() == ["service_started", "service_silent", "service_died"]


def test_a_watcher_that_was_asleep_accuses_nobody(watched: Watched) -> None:
    eventually(lambda: watched.hears_from_it(0))
    for now in (10, 1000, 1001, 2000, 2001, 3000):
        watched.child.step(now)  # now and then before the answer has arrived
    assert watched.events() == ["service_started"]


def test_a_child_that_was_asked_to_stop_is_not_started_again(watched: Watched) -> None:
    watched.child.step(0)
    eventually(lambda: watched.hears_from_it(0))
    watched.child.ask_to_stop()
    eventually(lambda: watched.child.step(1) > 0 and watched.child.gone)
    watched.child.step(100)
    assert watched.child.gone
    assert watched.events() == ["service_started", "service_stopping", "service_stopped"]
