"""What the fault suite does to the servers below the services fires the alerts that it should: a real Kafka, a real Redis."""

import pytest
from redis import Redis

from common.testing.eventually import eventually
from orderly import runfile
from tests.observability.observed import Observed

pytestmark = [
    pytest.mark.process,
    pytest.mark.prometheus,
    pytest.mark.kafka,
    pytest.mark.redis,
    pytest.mark.timeout(300),
]

ENGINE = "kafka"
SECONDS = 90  # generous: the machine may be busy


def test_a_redis_that_was_emptied_has_its_read_models_rebuilt(live: Observed) -> None:
    eventually(lambda: live.numbers("sum(rate(orderly_projection_records_total[15s])) > 0"), within=SECONDS)
    run = runfile.read(live.folder)
    assert run is not None
    with Redis.from_url(run.servers.redis_url) as redis:
        redis.flushall()
    eventually(lambda: live.fires("OrderlyReadModelRebuilt"), within=SECONDS)


def test_a_frozen_redis_makes_projectors_fail(live: Observed) -> None:
    with live.frozen("redis"):
        eventually(lambda: live.fires("OrderlyStepsFail"), within=SECONDS)


def test_a_frozen_broker_cannot_be_written_to(live: Observed) -> None:
    with live.frozen("kafka-1"):
        eventually(lambda: live.fires("OrderlyLogAway"), within=SECONDS)
