"""One Jaeger for all, and one platform for each engine that sends to it; it has two order processors, for take-overs.

ORDERLY_TARGET names the only one to be tested, as in tests/e2e. On a cluster it is what is installed there, its Jaeger too.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation
from system import System, lawful
from target import CLUSTER, TARGET, Target

from deploy.observability import jaeger_server
from deploy.observability.jaeger_server import Jaeger, OwnJaeger
from tests.cluster.installed import Installed

ENGINES = [
    pytest.param("embedded", marks=pytest.mark.jaeger),
    pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis, pytest.mark.jaeger]),
]
TOLD = {
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "ORDERLY_LOG_LEVEL": "debug",
    "ORDERLY_AUTHORIZE_SECONDS": "4",
}


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    if TARGET == CLUSTER:
        installed = Installed.named()
        with installed.forwarded(f"service/{installed.release}-jaeger", 16686) as url:
            yield Jaeger(url)
        return
    with jaeger_server.running(tmp_path_factory.mktemp("jaeger"), print) as found:
        yield found


@pytest.fixture(scope="module", params=[TARGET] if TARGET else ENGINES)
def system(
    request: pytest.FixtureRequest, jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    data: Path = tmp_path_factory.mktemp("data")
    if not isinstance(jaeger, OwnJaeger):
        with Installation(data).running() as installation:
            yield installation
            installation.judge()
        return
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**TOLD, "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.otlp}.items():
            patch.setenv(name, value)
        assert "OTEL_TRACES_SAMPLER" not in os.environ
        with lawful(System(data, scale={"order.processor": 2}, engine=request.param)) as found:
            yield found
