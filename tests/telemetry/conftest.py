"""One Jaeger for all, and one platform for each engine that sends to it; it has two order processors, for take-overs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from system import System, lawful

from deploy.observability import jaeger_server
from deploy.observability.jaeger_server import Jaeger

ENGINES = [pytest.param("embedded"), pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis])]
TOLD = {
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "ORDERLY_LOG_LEVEL": "debug",
    "ORDERLY_AUTHORIZE_SECONDS": "4",
}


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    with jaeger_server.running(tmp_path_factory.mktemp("jaeger"), print) as found:
        yield found


@pytest.fixture(scope="module", params=ENGINES)
def system(
    request: pytest.FixtureRequest, jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    data: Path = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**TOLD, "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.otlp}.items():
            patch.setenv(name, value)
        assert "OTEL_TRACES_SAMPLER" not in os.environ
        with lawful(System(data, scale={"order.processor": 2}, engine=request.param)) as found:
            yield found
