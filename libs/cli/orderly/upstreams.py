"""How services see those they ask: read from the metrics of each."""

import http.client
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from orderly.health import UNREACHABLE, WITHIN
from orderly.runfile import Service
from orderly.sockets import LOOPBACK

BREAKER = {-1: "none", 0: "closed", 1: "half-open", 2: "open"}


@dataclass
class Upstream:
    """Counts are since the asking process started. `endpoints` by state, `outcomes` and `repeats` by kind."""

    service: str
    name: str
    breaker: str = "none"
    in_flight: int = 0
    waiting: int = 0
    endpoints: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)


def seen_by(services: Iterable[Service]) -> list[Upstream]:
    """Asked at the same time; a service that does not answer tells nothing."""
    asked = [it for it in services if it.process is not None]
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        told = list(pool.map(_metrics, asked))
    return [it for service, text in zip(asked, told, strict=True) for it in read(service.name, text)]


def read(service: str, text: str) -> list[Upstream]:
    found: dict[str, Upstream] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.labels.get("upstream")
            if name is not None:
                _take(found.setdefault(name, Upstream(service, name)), sample.name, sample.labels, sample.value)
    return list(found.values())


def _take(upstream: Upstream, metric: str, labels: Mapping[str, str], value: float) -> None:
    match metric:
        case "orderly_upstream_breaker":
            upstream.breaker = BREAKER[int(value)]
        case "orderly_upstream_in_flight":
            upstream.in_flight = int(value)
        case "orderly_upstream_waiting":
            upstream.waiting = int(value)
        case "orderly_upstream_endpoints":
            upstream.endpoints[labels["state"]] = int(value)
        case "orderly_upstream_requests_total":
            upstream.outcomes[labels["outcome"]] = int(value)
        case "orderly_upstream_repeats_total":
            upstream.repeats[labels["kind"]] = int(value)


def _metrics(service: Service) -> str:
    connection = http.client.HTTPConnection(LOOPBACK, service.admin_port, timeout=WITHIN)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else ""
    except UNREACHABLE:
        return ""
    finally:
        connection.close()
