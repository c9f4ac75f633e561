"""One running platform for each test module and engine, its laws checked afterwards; on this machine, on data of its own.

ORDERLY_TARGET names one, to test no other: embedded, kafka, or cluster, the one that is installed there (tests/cluster). What a
module wants of it: UP, more words for `orderly up`, and SCALE, how many processes there are, by service or `service.role`. What
is marked `local` is about this machine's own, and not for a cluster.
"""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest
from installation import Installation
from system import System
from target import Target

CLUSTER = "cluster"
ENGINES = [pytest.param("embedded"), pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis])]
TARGET = os.environ.get("ORDERLY_TARGET")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if TARGET == CLUSTER:
        elsewhere = [it for it in items if it.get_closest_marker("local")]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [it for it in items if it not in elsewhere]


@pytest.fixture(scope="module", params=[TARGET] if TARGET else ENGINES)
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    data: Path = tmp_path_factory.mktemp("data")
    more, scale = getattr(request.module, "UP", ()), getattr(request.module, "SCALE", {})
    place: AbstractContextManager[Target] = (
        Installation(data, more, scale).running()
        if request.param == CLUSTER
        else here(System(data, more, scale, engine=request.param))
    )
    with place as found:
        yield found
        code, report = found.verify()
        assert code == 0, json.dumps(report, indent=1)


@contextmanager
def here(found: System) -> Iterator[System]:
    found.up()
    started = {service["pid"] for service in found.status()["services"]}
    try:
        yield found
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
