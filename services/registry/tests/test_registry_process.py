"""The registry and a service that registers there, as processes: it is there when it serves, and gone when it drains."""

import functools
import signal
import socket
import subprocess
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from common.discovery import Endpoint
from common.discovery.by_registry import Registry
from common.testing.certificates import Certificates
from common.testing.discovery_contract import Watcher
from common.testing.process import listening, process

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

WITHIN = 60.0  # seconds: processes have to start for it


@functools.cache
def certificates(data: Path) -> Certificates:
    return Certificates(data / "certs")


def seen(door: socket.socket, data: Path) -> Registry:
    """As a caller of the provider sees it."""
    return Registry(url(door), "provider", certificates(data).credentials("payment"))


def service(
    name: str, api: socket.socket, data: Path, **settings: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return process(name, api, certificates(data), data, **settings)


def url(door: socket.socket) -> str:
    return f"https://127.0.0.1:{door.getsockname()[1]}"


async def test_a_service_registers_itself_and_leaves_when_it_drains(tmp_path: Path) -> None:
    with closing(listening()) as door, closing(listening()) as served, service("registry", door, tmp_path):
        settings = {"REGISTRY_URL": url(door), "ZONE": "attic"}
        with service("provider", served, tmp_path, **settings) as provider:
            watcher = Watcher(seen(door, tmp_path))
            assert await watcher.sees(url(served), within=WITHIN) == (Endpoint(url(served), "attic"),)
            provider.send_signal(signal.SIGTERM)
            await watcher.sees(within=WITHIN)
            await watcher.close()
            assert provider.wait(WITHIN) == 0


async def test_a_killed_registry_takes_nobodys_list_away(tmp_path: Path) -> None:
    with (
        closing(listening()) as door,
        closing(listening()) as served,
        service("registry", door, tmp_path) as first,
        service("provider", served, tmp_path, REGISTRY_URL=url(door)),
    ):
        watcher = Watcher(seen(door, tmp_path))
        await watcher.sees(url(served), within=WITHIN)
        watcher.lists.clear()
        first.kill()
        with service("registry", door, tmp_path):
            again = Watcher(seen(door, tmp_path))
            await again.sees(url(served), within=WITHIN)
            assert again.lists == [(Endpoint(url(served)),)]
            assert all(it == again.lists[0] for it in watcher.lists)
            await again.close()
        await watcher.close()
