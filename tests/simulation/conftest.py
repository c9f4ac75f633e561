"""Schedules run in silence; the tests after them do not."""

import gc
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation import runner


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    runner.quiet()
    yield
    structlog.configure(**before)
    gc.enable()
