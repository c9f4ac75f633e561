"""The registry and a service that registers there, as processes: it is there when it serves, and gone when it drains."""

import functools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from common.discovery import Endpoint
from common.discovery.by_registry import Registry
from common.testing.certificates import Certificates
from common.testing.discovery_contract import Watcher

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

WITHIN = 60.0  # seconds: processes have to start for it


@functools.cache
def certificates(data: Path) -> Certificates:
    return Certificates(data / "certs")


def seen(door: socket.socket, data: Path) -> Registry:
    """As a caller of the provider sees it."""
    return Registry(url(door), "provider", certificates(data).credentials("payment"))


def free_socket() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen(100)
    found.set_inheritable(True)
    return found


@contextmanager
def process(name: str, door: socket.socket, data: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    with closing(free_socket()) as admin, (data / f"{name}.log").open("ab") as log:
        shown = str(certificates(data).publish(name))
        told = {
            "DATA": str(data),
            "CERTIFICATES": shown,
            "API_FD": str(door.fileno()),
            "ADMIN_FD": str(admin.fileno()),
            **settings,
        }
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", name],
            env={**os.environ, **{f"ORDERLY_{key}": value for key, value in told.items()}},
            pass_fds=(door.fileno(), admin.fileno()),
            stdout=log,
            stderr=log,
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait()


def url(door: socket.socket) -> str:
    return f"https://127.0.0.1:{door.getsockname()[1]}"


async def test_a_service_registers_itself_and_leaves_when_it_drains(tmp_path: Path) -> None:
    with closing(free_socket()) as door, closing(free_socket()) as served, process("registry", door, tmp_path):
        settings = {"REGISTRY_URL": url(door), "ZONE": "attic"}
        with process("provider", served, tmp_path, **settings) as provider:
            watcher = Watcher(seen(door, tmp_path))
            assert await watcher.sees(url(served), within=WITHIN) == (Endpoint(url(served), "attic"),)
            provider.send_signal(signal.SIGTERM)
            await watcher.sees(within=WITHIN)
            await watcher.close()
            assert provider.wait(WITHIN) == 0


async def test_a_killed_registry_takes_nobodys_list_away(tmp_path: Path) -> None:
    with (
        closing(free_socket()) as door,
        closing(free_socket()) as served,
        process("registry", door, tmp_path) as first,
        process("provider", served, tmp_path, REGISTRY_URL=url(door)),
    ):
        watcher = Watcher(seen(door, tmp_path))
        await watcher.sees(url(served), within=WITHIN)
        first.kill()
        with process("registry", door, tmp_path):
            again = Watcher(seen(door, tmp_path))
            await again.sees(url(served), within=WITHIN)
            assert again.lists == [(Endpoint(url(served)),)]
            assert all(it[0].address == url(served) for it in watcher.lists)
            await again.close()
        await watcher.close()
