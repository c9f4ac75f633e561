"""Runs a schedule on a broker behind a proxy, from the first fault to the verdict."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.testing.kafka_proxy import KafkaProxy, Script
from tests.integration.exactly_once.clients import CLIENTS
from tests.integration.exactly_once.lab import Lab, Verdict
from tests.integration.exactly_once.schedules import Schedule


@contextmanager
def laboratory(broker: str, client: str) -> Iterator[Lab]:
    with KafkaProxy(broker) as proxy:
        lab = Lab(broker, proxy, CLIENTS[client])
        try:
            yield lab
        finally:
            lab.close()


def run(broker: str, client: str, schedule: Schedule) -> Verdict:
    """Raises AssertionError when the fault never came to pass."""
    with laboratory(broker, client) as lab:
        schedule(lab)
        judge = lab.proxy.judge
        assert not isinstance(judge, Script) or not judge.left, f"never happened: {judge.left}"
        lab.drain()
        return lab.verdict()
