"""One running platform for each test module and engine, on data of its own, stopped and checked afterwards.

ORDERLY_TARGET names one engine, to test no other. A module's UP are more words for `orderly up`.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from system import System

ENGINES = [pytest.param("embedded"), pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis])]
TARGET = os.environ.get("ORDERLY_TARGET")


@pytest.fixture(scope="module", params=[TARGET] if TARGET else ENGINES)
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    data: Path = tmp_path_factory.mktemp("data")
    found = System(data, request.param, getattr(request.module, "UP", ()))
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
