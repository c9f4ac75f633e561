"""A private Kafka and a private Redis for the tests of one run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.readmodel.redis import lane
from orderly.backing.private import Brokers, RedisServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A cold start of a JVM on a busy machine is part of the first test."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """One node, shared by the tests of a run: those that kill it use one of their own."""
    eager = {"log.cleaner.backoff.ms": "100", "log.retention.check.interval.ms": "500"}
    started = Brokers.start(tmp_path_factory.mktemp("kafka"), properties=eager)
    yield started
    started.stop()


@pytest.fixture
def kafka(brokers: Brokers) -> str:
    """Its bootstrap address."""
    return brokers.bootstrap


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Brokers]:
    """Brokers that a test may kill and freeze."""
    brokers = Brokers.start(tmp_path)
    yield brokers
    brokers.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Shared by the tests of a run: those that flush or kill it use one of their own."""
    started = RedisServer.start(tmp_path_factory.mktemp("redis"))
    yield started.url
    started.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Redis is there, a machine that is busy with other tests is no reason to take it for gone."""
    monkeypatch.setattr(lane, "PATIENCE", 20.0)
