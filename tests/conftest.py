"""A test whose needs are not there is skipped, with the way to get them; in continuous integration it fails.

Tests that run side by side have ports of their own for their servers: one that is away finds its own free when it comes back.

What is marked `local` is about this machine's own platforms, and not for a cluster's.

What tests start can be interrupted, also where these tests are a job in the background of a shell, which has SIGINT ignored.
"""

import os
import signal
from collections.abc import Callable, Mapping

import pytest
from target import CLUSTER, TARGET

from deploy.observability import jaeger_binary, prometheus
from orderly.backing import java, redis
from orderly.failure import Failure
from orderly.sockets import PORTS
from tests.chart import helm

PORTS_EACH = 1_000
FIRST_PORT = 15_000 + PORTS_EACH * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 17)
os.environ[PORTS] = f"{FIRST_PORT}-{FIRST_PORT + PORTS_EACH - 1}"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NEEDS: Mapping[str, Callable[[], object]] = {
    "kafka": java.find,
    "redis": redis.find,
    "prometheus": prometheus.find,
    "jaeger": jaeger_binary.wanted,
    "chart": helm.find,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if TARGET == CLUSTER:
        elsewhere = [it for it in items if it.get_closest_marker("local")]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [it for it in items if it not in elsewhere]


@pytest.hookimpl(tryfirst=True)  # before any fixture starts what needs it
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, find in NEEDS.items():
        if item.get_closest_marker(marker) is not None:
            try:
                find()
            except Failure as missing:
                if os.environ.get("CI"):
                    raise
                pytest.skip(f"{missing.what}; {missing.advice}")
