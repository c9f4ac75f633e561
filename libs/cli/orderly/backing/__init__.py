"""What the real engine stands on, found or started: Java, Kafka, Redis; private, on loopback, their data in one folder."""

import os
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from orderly.backing import artifacts, java, kafka, redis
from orderly.backing.artifacts import Tell
from orderly.child import Plan
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.heartbeat import Question
from orderly.servers import Servers
from orderly.shape import Shape

ROLES = (redis.ROLE, kafka.ROLE)
REACHED_WITHIN = 5.0  # seconds
EMBEDDED = "leave it out: its files are readable by their owner alone; or add --engine kafka"
OUTSIDE = "unset them; or leave it out, and say how those are spoken to by ORDERLY_KAFKA_… and ORDERLY_REDIS_… settings"


def outside() -> Servers:
    """Those that somebody else runs: they are used, and neither started nor stopped."""
    return Servers(os.environ.get("KAFKA_BOOTSTRAP", ""), os.environ.get("REDIS_URL", ""))


def find(shape: Shape, tell: Tell) -> None:
    """Everything that has to be had or reached before a start. Raises Failure for what is missing, with the way to get it."""
    if shape.engine != "kafka":
        if shape.secure:
            raise Failure(
                "--secure is for the private Kafka and Redis, and the embedded engine has no server", EMBEDDED
            )
        return
    servers = outside()
    if shape.secure and (servers.kafka_bootstrap or servers.redis_url):
        raise Failure(
            "--secure is for a Kafka and a Redis of our own, and KAFKA_BOOTSTRAP or REDIS_URL names others", OUTSIDE
        )
    if servers.kafka_bootstrap:
        _reach("KAFKA_BOOTSTRAP", servers.kafka_bootstrap.split(","))
    else:
        java.find()
        artifacts.jars(tell)
    if servers.redis_url:
        where = urlsplit(servers.redis_url)
        _reach("REDIS_URL", [f"{where.hostname}:{where.port or 6379}"])
    else:
        redis.find(secure=shape.secure)


def plans(folder: Folder, shape: Shape) -> tuple[Servers, Sequence[Plan]]:
    """What to start first, and where it will be. Raises Failure."""
    if shape.engine != "kafka":
        return Servers(), ()
    servers = outside()
    brokers = (
        []
        if servers.kafka_bootstrap
        else kafka.plans(folder, shape.brokers, durable=shape.durable, secure=shape.secure)
    )
    caches = [] if servers.redis_url else [redis.plan(folder, secure=shape.secure)]
    found = Servers(
        servers.kafka_bootstrap or kafka.bootstrap(brokers),
        servers.redis_url or redis.url(caches[0], shape.secure),
        len(brokers),
        shape.secure,
    )
    return found, [*brokers, *caches]


def question(role: str, port: int, tls: bool) -> Question:
    return kafka.question(port, tls) if role == kafka.ROLE else redis.question(port, tls)


def _reach(setting: str, addresses: Sequence[str]) -> None:
    """One of them is enough. What it thinks of us, the services will hear."""
    wrong = ""
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), REACHED_WITHIN).close()
            return
        except (OSError, ValueError, OverflowError) as error:
            wrong = f"{address}: {error}"
    raise Failure(
        f"{setting} cannot be reached: {wrong}", f"start it, or unset {setting}: then a private one is started"
    )
