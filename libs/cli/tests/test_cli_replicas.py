"""Several APIs of one service find each other through the registry, and outlive any one of them and the registry too."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderly.testing import Platform, eventually, platform_at

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with platform_at(tmp_path / "data") as made:
        yield made


def usable(platform: Platform) -> int:
    """How many order APIs the gateway would ask."""
    found = json.loads(platform.orderly("status", "--json", "--upstreams").stdout)["upstreams"]
    return sum(it["endpoints"].get("usable", 0) for it in found if (it["service"], it["name"]) == ("gateway", "order"))


def test_orders_end_as_they_should_whichever_replica_answers_and_without_the_registry(platform: Platform) -> None:
    platform.up("--scale", "order=2")
    assert platform.orderly("demo", within=120).returncode == 0
    assert usable(platform) == 2
    for victim in ("registry", "order-1"):
        platform.kill(victim, signal.SIGKILL)
        assert platform.orderly("demo", within=120).returncode == 0
    eventually(lambda: usable(platform) == 2, within=60)
    assert platform.orderly("verify", within=120).returncode == 0
