"""The supervisor and `up`, `down`, `status`, with real processes: nothing dies for good, nothing is left behind."""

import http.client
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orderly import runfile
from orderly.processes import Identity
from orderly.runfile import Run, Service
from orderly.shape import START_ORDER, Shape
from orderly.sockets import free_ports
from orderly.testing import Platform, eventually, make_standins, platform_at

pytestmark = pytest.mark.process


@pytest.fixture(scope="session")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_standins(tmp_path_factory.mktemp("standins"))


@pytest.fixture
def platform(tmp_path: Path, standins: Path) -> Iterator[Platform]:
    with platform_at(tmp_path / "data", standins) as made:
        yield made


def alive(run: Run) -> list[Identity]:
    return [it for it in (run.supervisor, *(it.process for it in run.services)) if it is not None and it.alive()]


def get(run: Run, within: float = 10) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", run.service("gateway").port, timeout=within)
    connection.request("GET", "/")
    return connection.getresponse().status


def test_up_returns_when_all_is_healthy_and_down_leaves_nothing(platform: Platform) -> None:
    run = platform.up()
    status = platform.status()
    assert [it["name"] for it in status["services"]] == [*START_ORDER, "supervisor"]
    assert all(it["healthy"] and it["rss_bytes"] > 0 for it in status["services"])
    assert status["base_url"] == run.base_url
    assert get(run) == 200
    assert "stopped" in platform.orderly("down").stdout
    assert alive(run) == []
    with pytest.raises(ConnectionRefusedError):
        get(run)


def test_down_may_be_said_twice_and_where_nothing_ever_ran(platform: Platform) -> None:
    for _ in range(2):
        done = platform.orderly("down")
        assert (done.returncode, done.stdout) == (0, "nothing was running\n")


def test_status_tells_apart_healthy_unhealthy_and_not_running(platform: Platform) -> None:
    assert platform.orderly("status").returncode == 2
    assert platform.orderly("status", "--json").returncode == 2
    platform.up()
    assert platform.orderly("status").returncode == 0
    (platform.folder.root / "order.unready").touch()
    done = platform.orderly("status")
    assert done.returncode == 1
    assert "log: out of reach" in done.stdout
    assert [it["name"] for it in platform.status()["services"] if not it["healthy"]] == ["order"]


def test_a_killed_service_comes_back_and_its_callers_only_wait(platform: Platform) -> None:
    run = platform.up()
    before = platform.kill("gateway")
    assert get(run) == 200  # the socket never closed
    assert platform.pid("gateway") != before
    assert platform.run().service("gateway").starts == 2


def test_a_second_up_says_where_the_first_one_is(platform: Platform) -> None:
    run = platform.up()
    for arguments in (["up"], ["up", "--detach"]):
        done = platform.orderly(*arguments)
        assert done.returncode == 0
        assert f"already runs: {run.base_url}" in done.stdout
    refused = platform.orderly("up", "--detach", "--port", str(*free_ports(1)))
    assert refused.returncode == 1
    assert "orderly down" in refused.stderr
    assert platform.run().supervisor == run.supervisor


def test_up_at_the_same_time_makes_one_platform(platform: Platform) -> None:
    both = [subprocess.Popen(platform.command("up", "--detach"), env=platform.environment) for _ in range(2)]
    assert [it.wait(30) for it in both] == [0, 0]
    assert len(platform.run().leftovers()) == len(START_ORDER)
    lock_holders = [it for it in psutil.process_iter(["cmdline"]) if is_supervisor_of(platform, it.info["cmdline"])]
    assert len(lock_holders) == 1


def test_up_brings_back_what_died_with_the_supervisor(platform: Platform) -> None:
    first = platform.up("--port", str(*free_ports(1)))
    platform.kill("order")
    first.supervisor.send(signal.SIGKILL)
    second = platform.up()
    assert second.base_url == first.base_url  # whoever noted the address finds it again
    assert second.supervisor != first.supervisor
    assert alive(first) == []


def test_the_services_of_a_killed_supervisor_go_by_themselves(platform: Platform) -> None:
    run = platform.up()
    run.supervisor.send(signal.SIGKILL)
    eventually(lambda: alive(run) == [])
    assert platform.orderly("status").returncode == 2


def test_down_ends_frozen_services_of_a_dead_supervisor(platform: Platform) -> None:
    run = platform.up()
    for name in START_ORDER:
        platform.kill(name, signal.SIGSTOP)
    run.supervisor.send(signal.SIGKILL)
    assert platform.orderly("status").returncode == 1
    assert platform.orderly("down").returncode == 0
    assert alive(run) == []


def test_down_ends_a_frozen_supervisor(platform: Platform) -> None:
    run = platform.up()
    run.supervisor.send(signal.SIGSTOP)
    assert platform.orderly("down").returncode == 0
    assert alive(run) == []


def test_a_stranger_who_got_one_of_our_pids_is_left_alone(platform: Platform) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        ours = Identity(stranger.pid, Identity.of(stranger.pid).started - 1000)
        stale = Run(ours, Shape("embedded"), "", "http://127.0.0.1:1", (Service("order", "all", 1, 2, ours),))
        runfile.write(platform.folder, stale)
        assert platform.orderly("status").returncode == 2
        assert platform.orderly("down").stdout == "nothing was running\n"
        runfile.write(platform.folder, stale)
        platform.up()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"services": [{}]}', "\0"])
def test_a_broken_run_file_is_no_run_file(platform: Platform, content: str) -> None:
    (platform.folder.run / "state.json").write_text(content)
    assert platform.orderly("status").returncode == 2
    assert platform.orderly("down").returncode == 0


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(platform: Platform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = platform.orderly("up", "--detach", "--port", str(port))
    assert done.returncode == 1
    assert f"cannot listen on port {port}" in done.stderr
    assert "--port" in done.stderr


def test_a_remembered_port_that_is_taken_is_not(platform: Platform) -> None:
    first = platform.up("--port", str(*free_ports(1)))
    platform.orderly("down")
    with socket.create_server(("127.0.0.1", first.service("gateway").port)):
        assert platform.up().base_url != first.base_url


def test_a_service_that_cannot_start_fails_up_with_its_own_words(platform: Platform) -> None:
    (platform.folder.root / "payment.broken").touch()
    done = platform.orderly("up", "--detach")
    assert done.returncode == 1
    assert "payment ends again and again" in done.stderr
    assert "the disk is made of cheese" in done.stderr
    assert "Traceback" not in done.stderr
    assert platform.orderly("status").returncode == 2


def test_ctrl_c_in_the_foreground_drains_and_leaves_nothing(platform: Platform) -> None:
    foreground = start_in_foreground(platform)
    run = platform.run()
    foreground.send_signal(signal.SIGINT)
    out, _ = foreground.communicate(timeout=20)
    assert foreground.returncode == 0
    assert "nothing is left running" in out
    assert alive(run) == []


def test_the_platform_ends_with_its_foreground_however_that_ends(platform: Platform) -> None:
    foreground = start_in_foreground(platform)
    run = platform.run()
    foreground.kill()
    foreground.communicate(timeout=20)
    eventually(lambda: alive(run) == [])


def test_the_foreground_says_so_when_its_supervisor_was_killed(platform: Platform) -> None:
    foreground = start_in_foreground(platform)
    run = platform.run()
    run.supervisor.send(signal.SIGKILL)
    out, _ = foreground.communicate(timeout=20)
    assert foreground.returncode == 1
    assert "nothing is left running" in out
    assert alive(run) == []


def test_the_foreground_tells_of_deaths_and_restarts(platform: Platform) -> None:
    foreground = start_in_foreground(platform)
    platform.kill("inventory")
    assert foreground.stdout is not None
    assert "inventory was killed by signal 9" in foreground.stdout.readline()
    assert "inventory runs again" in foreground.stdout.readline()
    assert platform.orderly("down").returncode == 0
    out, _ = foreground.communicate(timeout=20)
    assert "stopped from elsewhere" in out


def test_a_platform_whose_data_was_deleted_ends(platform: Platform) -> None:
    run = platform.up()
    shutil.rmtree(platform.folder.root)
    eventually(lambda: alive(run) == [])


def test_the_supervisor_is_light(platform: Platform) -> None:
    supervisor = platform.up().supervisor.process()
    assert supervisor is not None
    assert supervisor.memory_info().rss < 40_000_000
    used = sum(supervisor.cpu_times()[:2])
    supervisor.cpu_percent()
    assert supervisor.cpu_percent(interval=3) < 1.0, f"{used} s so far"


def start_in_foreground(platform: Platform) -> "subprocess.Popen[str]":
    """Returns when its announcement has been read."""
    foreground = subprocess.Popen(
        platform.command("up"), env=platform.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    overdue = threading.Timer(30, foreground.kill)
    overdue.start()
    assert foreground.stdout is not None
    for line in foreground.stdout:
        if "Ctrl-C" in line:
            break
    overdue.cancel()
    return foreground


def is_supervisor_of(platform: Platform, command: list[str] | None) -> bool:
    return command is not None and "orderly.supervisor" in command and str(platform.folder.root) in command
