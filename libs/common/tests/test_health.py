"""The plain port: probes that mean something, metrics, and nothing else."""

import asyncio
import itertools
import threading

import pytest

from common.health import Health, application
from common.testing.http import serving


async def test_readiness_says_what_is_wrong_and_draining_is_never_ready() -> None:
    health = Health(ready={"log": lambda: "away"})
    async with serving(application(health)) as address:
        assert (await address.request("GET", "/readyz")).json()["checks"] == {"log": "away"}
        assert (await address.request("GET", "/startupz")).status == 503
        health.ready.clear()
        assert (await address.request("GET", "/readyz")).status == 200
        health.draining = True
        assert (await address.request("GET", "/readyz")).status == 503
        assert (await address.request("GET", "/startupz")).status == 200


async def test_a_readiness_that_waits_holds_up_nobody_and_is_looked_at_once() -> None:
    looks, away = itertools.count(), threading.Event()
    health = Health(ready={"log": lambda: str(next(looks)) if away.wait(20) else None})
    async with serving(application(health)) as address:
        asking = [asyncio.create_task(address.request("GET", "/readyz")) for _ in range(3)]
        assert (await address.request("GET", "/livez")).status == 200
        away.set()
        assert [(await each).json()["checks"] for each in asking] == [{"log": "0"}] * 3


async def test_a_note_is_shown_and_makes_nothing_unready() -> None:
    health = Health(notes={"files": lambda: "odd", "disk": lambda: None})
    async with serving(application(health)) as address:
        reply = await address.request("GET", "/readyz")
        assert reply.status == 200
        assert reply.json()["notes"] == {"files": "odd"}


async def test_a_check_that_breaks_has_seen_nothing_good() -> None:
    async with serving(application(Health(live={"loop": lambda: str(1 / 0)}))) as address:
        assert (await address.request("GET", "/livez")).status == 503


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("", "text/plain"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text")],
)
async def test_metrics_come_in_the_form_that_was_asked_for(accept: str, kind: str) -> None:
    async with serving(application(Health())) as address:
        reply = await address.request("GET", "/metrics", {"Accept": accept} if accept else {})
    assert (reply.status, reply.headers["content-type"].split(";")[0]) == (200, kind)
    assert b"# TYPE orderly_upstream_requests" in reply.body


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/metrics"), ("GET", "/metrics/x"), ("PUT", "/livez")]
)
async def test_T13_there_is_nothing_else(method: str, path: str) -> None:
    async with serving(application(Health())) as address:
        reply = await address.request(method, path)
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
