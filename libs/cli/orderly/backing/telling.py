"""Has our Kafka and Redis load the certificates that are on disk now. Connections stay; new ones see them."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import redis
from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType

from common import settings
from common.engine.kafka import connection_of
from common.errors import LogError, Unavailable
from common.redis_url import complete
from common.settings import OnKafka, OnRedis
from orderly.backing.locks import tls_of_redis
from orderly.folder import Folder
from orderly.servers import KAFKA, REDIS, Servers

PATIENCE = 5.0  # seconds
ANY_SETTING = {
    "background.threads": "10"
}  # Kafka's default: with each setting of its own a broker reads its key stores again


def new_certificates(folder: Folder, servers: Servers) -> None:
    """Raises LogError."""
    tell_kafka(servers.environment(folder, KAFKA))
    tell_redis(servers.environment(folder, REDIS), folder.certificates / REDIS)


def tell_kafka(environment: Mapping[str, str]) -> None:
    """`environment`: where it is, and its own user. Raises LogError."""
    connection = connection_of(settings.read(OnKafka, environment))
    try:
        with closing(KafkaAdminClient(**connection.client())) as admin:
            nodes = [str(node["broker_id"]) for node in admin.describe_cluster()["brokers"]]
            admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, node, dict(ANY_SETTING)) for node in nodes])
    except errors.KafkaError as error:
        raise LogError(f"Kafka at {connection.bootstrap} was not told of new certificates: {error!r}") from None


def tell_redis(environment: Mapping[str, str], own: Path) -> None:
    """`own`: where Redis itself has its certificate. Raises LogError, SettingsError."""
    told = settings.read(OnRedis, environment)
    url = complete(told.redis_url, ca_file=told.redis_ca_file, password_file=told.redis_password_file)
    words = [word for pair in tls_of_redis(own).items() for word in pair]
    try:
        with redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as server:
            server.execute_command("CONFIG", "SET", *words)
            server.execute_command("ACL", "LOAD")
    except redis.RedisError as error:
        raise Unavailable(f"Redis was not told of new certificates: {error}") from None
