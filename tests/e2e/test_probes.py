"""What each process says of itself on its plain port: that it lives, that it can serve, and what it has measured."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from target import Target

from common.testing.eventually import eventually
from common.topology import PROCESSING_SERVICES, SERVICES

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_lives_can_serve_and_tells_what_it_measured(system: Target, service: str) -> None:
    for process in system.processes(service):
        assert [system.asked(process, path)[0] for path in ("/startupz", "/livez", "/readyz")] == [200, 200, 200]
        status, metrics = system.asked(process, "/metrics")
        measured = set(re.findall(r"^# TYPE (\w+) \w+$", metrics, re.MULTILINE))
        assert status == 200
        assert {"orderly_http_request_seconds", "process_resident_memory_bytes"} <= measured


async def test_without_its_broker_a_service_lives_and_is_not_ready(system: Target) -> None:
    away = system.without_broker()
    if away is None:
        pytest.skip("the embedded log is a file: it has no broker")
    before = keeping(system)
    with away:
        eventually(lambda: statuses(system, before, "/readyz"), lambda it: it == {503}, within=60)
        assert statuses(system, before, "/livez") == {200}
    eventually(lambda: statuses(system, before, "/readyz"), lambda it: it == {200}, within=120)
    await system.once("tea", 10_000)
    async with system.client("alice") as alice:
        order = await alice.place([("tea", 1)], within=120)
        assert (await alice.final(order["order_id"]))["status"] == "confirmed"
    assert keeping(system) == before


def statuses(system: Target, processes: set[str], path: str) -> set[int]:
    """Asked at the same time: without a broker the answer takes its time."""
    with ThreadPoolExecutor() as pool:
        return {status for status, _ in pool.map(lambda it: system.asked(it, path), processes)}


def keeping(system: Target) -> set[str]:
    """Who needs the log."""
    return {process for service in PROCESSING_SERVICES for process in system.processes(service)}
