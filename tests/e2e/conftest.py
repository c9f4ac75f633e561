"""One running platform for each test module, on data of its own, stopped and checked afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from system import System


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    data: Path = tmp_path_factory.mktemp("data")
    found = System(data)
    found.up()
    started = {service["pid"] for service in found.status()["services"]}
    try:
        yield found
        code, report = found.verify()
        assert code == 0, json.dumps(report, indent=1)
        started |= {service["pid"] for service in found.status()["services"]}
    finally:
        found.down()
    assert not [pid for pid in started if alive(pid)], "orderly down left processes behind"


def alive(pid: int) -> bool:
    """A zombie is dead; that nobody asks for its exit status is its new parent's business."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
