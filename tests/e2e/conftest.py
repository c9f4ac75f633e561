"""One running platform for each engine, its laws checked after each test module; on this machine, on data of its own.

ORDERLY_TARGET names one, to test no other: embedded, kafka, or cluster, the one that is installed there (tests/cluster). A
module whose SCALE says how many processes there are, by service or `service.role`, has a platform of its own.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
from installation import Installation
from system import System
from target import CLUSTER, TARGET, Target

ENGINES = [pytest.param("embedded"), pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis])]

Share = Callable[[str], Target]


@pytest.fixture(scope="session")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Share]:
    """The platform on an engine that nobody asks anything special of. It runs until the last test is over."""
    with ExitStack() as opened:
        yield functools.cache(
            lambda engine: opened.enter_context(here(System(tmp_path_factory.mktemp(engine), engine=engine)))
        )


@pytest.fixture(scope="module", params=[TARGET] if TARGET else ENGINES)
def system(request: pytest.FixtureRequest, share: Share, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    scale = getattr(request.module, "SCALE", {})
    with ExitStack() as opened:
        found: Target
        if request.param == CLUSTER:
            found = opened.enter_context(Installation(tmp_path_factory.mktemp("data"), scale=scale).running())
        elif scale:
            found = opened.enter_context(
                here(System(tmp_path_factory.mktemp("data"), scale=scale, engine=request.param))
            )
        else:
            found = share(request.param)
        yield found
        found.judge()


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
