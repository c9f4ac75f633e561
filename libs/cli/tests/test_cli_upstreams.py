"""What a service's metrics say of those it asks, as `orderly status --upstreams` reads them."""

from prometheus_client import REGISTRY, generate_latest

from common.http_client import Upstream
from orderly.upstreams import read


async def test_the_metrics_of_a_client_are_read_back() -> None:
    upstream = Upstream("somewhere", "http://127.0.0.1:1")
    (found,) = [it for it in read("order", generate_latest(REGISTRY).decode()) if it.name == "somewhere"]
    await upstream.close()
    assert (found.service, found.breaker, found.in_flight, found.waiting) == ("order", "closed", 0, 0)
    assert set(found.endpoints) == {"usable", "unready", "ejected"}
    assert set(found.outcomes) == {"answered", "late", "failed", "refused"}
    assert set(found.repeats) == {"retry", "hedge", "over_budget"}


def test_a_service_that_tells_nothing_has_no_upstreams() -> None:
    assert read("order", "") == []
