"""Certificates for each test, and one running platform."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop
from system import System

from common.testing.certificates import Certificates


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running platform, shared by all that send it what they should not. The laws hold afterwards."""
    found = System(tmp_path_factory.mktemp("data"))
    found.up()
    try:
        yield found
        code, report = found.verify()
        assert code == 0, json.dumps(report, indent=1)
    finally:
        found.down()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certs")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The platform runs on either; each has a TLS of its own."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
