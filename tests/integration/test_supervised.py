"""Kafka and Redis under the supervisor's eye, with stand-ins for the services: started first, brought back, stopped last, and
left alone where they are somebody else's."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orderly.backing.private import Brokers
from orderly.shape import START_ORDER
from orderly.testing import Platform, eventually, make_standins, platform_at

pytestmark = [pytest.mark.process, pytest.mark.kafka, pytest.mark.redis]


@pytest.fixture(scope="module")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_standins(tmp_path_factory.mktemp("standins"))


@pytest.fixture
def platform(tmp_path: Path, standins: Path) -> Iterator[Platform]:
    with platform_at(tmp_path / "data", standins) as made:
        yield made


def started_for(platform: Platform) -> list[psutil.Process]:
    """Every process that has this platform's folder in its command line."""
    root = str(platform.folder.root)
    found = psutil.process_iter(["cmdline"])
    return [it for it in found if any(root in word for word in it.info["cmdline"] or ())]


def test_they_are_shown_brought_back_on_their_ports_and_stopped(platform: Platform) -> None:
    platform.up("--engine", "kafka")
    services = platform.status()["services"]
    assert [it["name"] for it in services] == ["kafka-1", "redis", *START_ORDER, "supervisor"]
    assert [it["role"] for it in services[:2]] == ["broker", "redis"]
    assert all(it["healthy"] and it["rss_bytes"] > 0 for it in services)
    ports = [it["port"] for it in services[:2]]
    for name in ("kafka-1", "redis"):
        platform.kill(name)
    eventually(lambda: all(it["healthy"] for it in platform.status()["services"]), within=60)
    assert [it["port"] for it in platform.status()["services"][:2]] == ports
    assert platform.run().service("kafka-1").starts == 2
    assert platform.orderly("down").returncode == 0
    eventually(lambda: started_for(platform) == [])


def test_they_do_not_outlive_a_killed_supervisor(platform: Platform) -> None:
    run = platform.up("--engine", "kafka")
    run.supervisor.send(signal.SIGKILL)
    eventually(lambda: started_for(platform) == [], within=60)


def test_a_frozen_broker_does_not_keep_the_platform_from_stopping(platform: Platform) -> None:
    platform.up("--engine", "kafka")
    platform.kill("kafka-1", signal.SIGSTOP)
    assert platform.orderly("down").returncode == 0
    eventually(lambda: started_for(platform) == [])


def test_data_is_of_one_engine_for_life(platform: Platform) -> None:
    platform.up("--engine", "kafka")
    other = platform.orderly("up", "--detach", "--engine", "embedded")
    assert (other.returncode, "first: orderly down" in other.stderr) == (1, True)
    platform.orderly("down")
    other = platform.orderly("up", "--detach", "--engine", "embedded")
    assert other.returncode == 1
    assert "was made with the kafka engine" in other.stderr
    closed = platform.orderly("verify")
    assert (closed.returncode, "orderly up" in closed.stderr) == (2, True)


def test_what_somebody_else_runs_is_used_and_left_running(platform: Platform, brokers: Brokers, redis_url: str) -> None:
    platform.environment |= {"KAFKA_BOOTSTRAP": brokers.bootstrap, "REDIS_URL": redis_url}
    platform.up("--engine", "kafka")
    assert [it["name"] for it in platform.status()["services"]] == [*START_ORDER, "supervisor"]
    platform.orderly("down")
    assert brokers.node(1).plan.question.asked(5)


@pytest.mark.parametrize(
    ("setting", "value"), [("KAFKA_BOOTSTRAP", "127.0.0.1:1"), ("REDIS_URL", "redis://127.0.0.1:1/0")]
)
def test_what_cannot_be_reached_is_named_before_anything_starts(platform: Platform, setting: str, value: str) -> None:
    platform.environment[setting] = value
    done = platform.orderly("up", "--detach", "--engine", "kafka")
    assert done.returncode == 1
    assert f"{setting} cannot be reached: 127.0.0.1:1" in done.stderr
    assert f"unset {setting}" in done.stderr
    assert started_for(platform) == []
