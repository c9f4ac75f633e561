"""A test whose needs are not there is skipped, with the way to get them; in continuous integration it fails.

What tests start can be interrupted, also where these tests are a job in the background of a shell, which has SIGINT ignored.
"""

import os
import signal
from collections.abc import Callable, Mapping

import pytest

from deploy.observability import jaeger_binary, prometheus
from orderly.backing import java, redis
from orderly.failure import Failure
from tests.chart import helm

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NEEDS: Mapping[str, Callable[[], object]] = {
    "kafka": java.find,
    "redis": redis.find,
    "prometheus": prometheus.find,
    "jaeger": jaeger_binary.wanted,
    "chart": helm.find,
}


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
