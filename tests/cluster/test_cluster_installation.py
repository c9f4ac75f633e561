"""The chart as it is installed on the cluster: an order goes its way there, and the laws hold."""

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.installed import Installed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def installed() -> Installed:
    found = Installed.named()
    if missing := found.missing():
        pytest.skip(missing)
    return found


@pytest.fixture(scope="module")
def url(installed: Installed) -> Iterator[str]:
    with installed.gateway() as found:
        yield found


def ask(url: str, data: Path, *words: str, check: bool = True) -> str:
    """The command line out here, which knows of the gateway alone."""
    environ = {**os.environ, "ORDERLY_URL": url, "ORDERLY_DATA": str(data)}
    command = [sys.executable, "-m", "orderly", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=check).stdout


def placed(url: str, data: Path, sku: str) -> dict[str, Any]:
    """How it ended. Asked again and again with the same key, as a client does whose machine is busy."""
    words = ("order", "place", "--sku", f"{sku}:1", "--key", uuid.uuid4().hex, "--wait", "30", "--json")
    until = time.monotonic() + 120
    while True:
        said = ask(url, data, *words, check=False)
        order: dict[str, Any] = json.loads(said) if said else {"status": "unanswered"}
        if order["status"] in ("confirmed", "cancelled") or time.monotonic() > until:
            return order
        time.sleep(1)


def test_an_order_from_outside_is_confirmed_and_all_laws_hold(installed: Installed, url: str, tmp_path: Path) -> None:
    sku = f"tea-{uuid.uuid4().hex[:8]}"
    ask(url, tmp_path, "product", "put", sku, "--name", "Tea", "--price", "4.20")
    ask(url, tmp_path, "product", "receive", sku, "10")
    order = placed(url, tmp_path, sku)
    assert order["status"] == "confirmed"
    code, report = installed.verify(tmp_path / "journal")
    assert (code, report["verdict"]) == (0, "holds"), report


def test_every_pod_is_ready_and_none_was_started_again_for_want_of_another(installed: Installed) -> None:
    for component in ("gateway", "order", "payment", "inventory", "provider", "kafka", "redis", "auditor"):
        pods = installed.pods(component)
        assert pods, component
        for pod in pods:
            assert [it["ready"] for it in pod["status"]["containerStatuses"]] == [True], pod["metadata"]["name"]


def test_the_services_log_says_who_is_found_by_the_api_server(installed: Installed) -> None:
    log = installed.kubectl("logs", f"deploy/{installed.release}-gateway", "--tail", "-1")
    assert '"endpoints"' in log or "endpoints" in log


def test_prometheus_finds_every_process_by_its_service_and_pod(installed: Installed) -> None:
    with installed.forwarded(f"service/{installed.release}-prometheus", 9090) as url:

        def scraped() -> set[tuple[str, str]]:
            with urllib.request.urlopen(f"{url}/api/v1/query?query=up%3D%3D1", timeout=10) as answer:
                found = json.load(answer)["data"]["result"]
            return {(it["metric"]["job"], it["metric"]["instance"]) for it in found}

        services = ("gateway", "order", "payment", "inventory", "provider")
        expected = {(it, pod["metadata"]["name"]) for it in services for pod in installed.pods(it)}
        until = time.monotonic() + 60
        while not expected <= scraped() and time.monotonic() < until:
            time.sleep(1)
        assert expected <= scraped()
        with urllib.request.urlopen(f"{url}/api/v1/rules", timeout=10) as answer:
            assert json.load(answer)["data"]["groups"]
