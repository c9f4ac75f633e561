"""The lines of several services become one story."""

import contextlib
import itertools
import json
from pathlib import Path

import pytest

from orderly import loglines, trimming
from orderly.folder import Folder
from orderly.logfiles import Follower
from orderly.loglines import Wanted
from orderly.trimming import Trimming

ORDER, OTHER = "ord_" + "a" * 32, "ord_" + "b" * 32


def say(folder: Folder, service: str, event: str, at: int, **fields: object) -> None:
    folder.logs.mkdir(exist_ok=True)
    with folder.log_of(service).open("a") as file:
        line = {"service": service, "event": event, "level": "info", "at": f"2026-01-01T00:00:{at:02d}Z", **fields}
        file.write(json.dumps(line) + "\n")


def story(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    say(folder, "order", "decided", 3, order_id=ORDER, trace_id="1" * 32)
    say(folder, "order", "decided", 4, order_id=OTHER, trace_id="2" * 32)
    say(folder, "gateway", "answered", 1, trace_id="1" * 32)
    say(folder, "payment", "cannot report yet", 2, order=ORDER, level="warning")
    say(folder, "supervisor", "service_died", 5)
    return folder


def events(folder: Folder, wanted: Wanted) -> list[str]:
    return [f"{line['service']} {line['event']}" for line in loglines.read(folder, wanted)]


def test_the_lines_of_all_services_are_in_the_order_of_time(tmp_path: Path) -> None:
    told = events(story(tmp_path), Wanted())
    assert told[0] == "gateway answered"
    assert told[-1] == "supervisor service_died"
    assert len(told) == 5


def test_an_orders_lines_are_those_that_name_it_and_those_of_its_trace(tmp_path: Path) -> None:
    told = events(story(tmp_path), Wanted(ORDER))
    assert told == ["gateway answered", "payment cannot report yet", "order decided"]


def test_lines_are_chosen_by_service_and_by_level(tmp_path: Path) -> None:
    folder = story(tmp_path)
    assert events(folder, Wanted(services=("supervisor",))) == ["supervisor service_died"]
    assert events(folder, Wanted(level="warning")) == ["payment cannot report yet"]


def test_what_is_no_line_of_ours_does_no_harm(tmp_path: Path) -> None:
    folder = story(tmp_path)
    with folder.log_of("order").open("a") as file:
        file.write('Traceback (most recent call last):\n{"half')
    assert len(events(folder, Wanted())) == 5


def test_what_is_written_later_is_followed_also_from_a_service_that_had_not_written(tmp_path: Path) -> None:
    folder = story(tmp_path)
    steps = itertools.count()

    def pause(_: float) -> None:
        say(folder, "order", f"new {next(steps)}", 9, order_id=ORDER)
        say(folder, "inventory", "first", 9, order_id=ORDER)

    with contextlib.closing(loglines.follow(folder, Wanted(ORDER), pause)) as following:
        assert {str(next(following)["event"]) for _ in range(2)} == {"new 0", "first"}


def test_a_full_log_is_emptied_under_its_writer_and_followed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = story(tmp_path)
    monkeypatch.setattr(trimming, "BIGGEST", 100)
    complaints: list[str] = []
    trim = Trimming(folder, lambda event, **_: complaints.append(event), now=0.0)
    following = Follower(folder.log_of("order"))
    with folder.log_of("order").open("a") as writer:
        assert trim.step(1.0) == trimming.EVERY
        assert trim.step(trimming.EVERY) == 2 * trimming.EVERY
        assert folder.log_of("order").read_text() == ""
        list(following.lines())
        writer.write(json.dumps({"service": "order", "event": "after", "order_id": ORDER}) + "\n")
        writer.flush()
        assert [line["event"] for line in following.lines()] == ["after"]
    following.close()
    assert complaints == []
    assert set(events(folder, Wanted(ORDER))) >= {"order decided", "order after", "gateway answered"}
