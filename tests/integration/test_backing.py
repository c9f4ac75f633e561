"""The private Kafka and Redis themselves: they serve, die, come back with what they should have, and are never left behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis as client
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from common.testing.eventually import eventually
from orderly.backing.private import Brokers, RedisServer
from orderly.failure import Failure

STARTER = """
import sys, time, pathlib
from orderly.backing.private import RedisServer
print(RedisServer.start(pathlib.Path(sys.argv[1])).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer.start(tmp_path)
    yield started
    started.close()


@pytest.mark.kafka
def test_a_killed_broker_comes_back_with_its_topics_and_on_its_port(tmp_path: Path) -> None:
    brokers = Brokers.start(tmp_path)
    try:
        admin = KafkaAdminClient(bootstrap_servers=brokers.bootstrap)
        admin.create_topics([NewTopic("kept", 3, 1)])
        admin.close()
        brokers.kill()
        brokers.restart()
        admin = KafkaAdminClient(bootstrap_servers=brokers.bootstrap)
        assert "kept" in admin.list_topics()
        admin.close()
    finally:
        brokers.stop()
    again = Brokers.start(tmp_path)
    again.stop()
    assert again.bootstrap == brokers.bootstrap
    with pytest.raises(Failure, match="has 1 nodes, not 3"):
        Brokers.start(tmp_path, 3)


@pytest.mark.kafka
def test_what_a_broker_does_not_understand_ends_the_start_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failed:
        Brokers.start(tmp_path, properties={"num.io.threads": "many"})
    assert "num.io.threads" in "".join(failed.value.evidence)


@pytest.mark.redis
def test_a_killed_redis_comes_back_empty(own_redis: RedisServer) -> None:
    connection = client.Redis.from_url(own_redis.url)
    connection.set("key", "value")
    own_redis.kill()
    own_redis.restart()
    assert connection.get("key") is None
    connection.close()


@pytest.mark.redis
def test_a_frozen_redis_does_not_answer_until_it_is_thawed(own_redis: RedisServer) -> None:
    own_redis.freeze()
    assert not own_redis.plan.question.asked(0.3)
    own_redis.thaw()
    own_redis.wait()


@pytest.mark.redis
def test_it_ends_with_whoever_started_it_even_by_kill_9(tmp_path: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert psutil.Process(pid).name() == "redis-server"
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    eventually(lambda: not psutil.pid_exists(pid), within=60)
