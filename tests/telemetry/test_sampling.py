"""The collector's sampling judges a trace when all of it is there: what went wrong is kept, also when nothing else is."""

import json
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from deploy.observability import jaeger_server
from deploy.observability.jaeger_server import OwnJaeger

pytestmark = [pytest.mark.process, pytest.mark.local, pytest.mark.jaeger, pytest.mark.timeout(120)]

SECOND = 10**9


def span(trace: str, *, after: int = 0, **more: Any) -> dict[str, Any]:
    """In OTLP's JSON, a millisecond long unless it is said to end later."""
    begun = time.time_ns()
    plain = {"traceId": trace, "spanId": uuid.uuid4().hex[:16], "name": "process order.commands", "kind": 5}
    times = {"startTimeUnixNano": str(begun), "endTimeUnixNano": str(begun + after + 1_000_000)}
    return {**plain, **times, **more}


def send(jaeger: OwnJaeger, spans: list[dict[str, Any]]) -> None:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "order"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    asked = urllib.request.Request(
        f"{jaeger.otlp}/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 200


def test_what_went_wrong_was_slow_or_was_undone_is_kept(tmp_path: Path) -> None:
    told = {"JAEGER_DECISION_WAIT": "1s", "JAEGER_PERCENT": "0"}
    good, failed, slow, undone = (uuid.uuid4().hex for _ in range(4))
    outcome = [{"key": "orderly.outcome", "value": {"stringValue": "cancelled"}}]
    with jaeger_server.running(tmp_path, print, sampling=told) as jaeger:
        for _ in range(3):  # spans of one trace come one after the other, from several services
            send(jaeger, [span(it) for it in (good, failed, slow, undone)])
        send(jaeger, [span(failed, status={"code": 2}), span(slow, after=SECOND), span(undone, attributes=outcome)])
        deadline = time.monotonic() + 30
        while not all(len(jaeger.trace(it)) == 4 for it in (failed, slow, undone)):
            assert time.monotonic() < deadline, {it: len(jaeger.trace(it)) for it in (failed, slow, undone)}
            time.sleep(0.2)
        assert jaeger.trace(good) == []
