"""Has our Kafka and Redis load the certificates that are on disk now. Connections stay; new ones see them."""

from contextlib import closing

import redis
from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType

from common import settings
from common.engine.kafka import connection_of
from common.errors import LogError, Unavailable
from common.redis_url import complete
from common.settings import OnKafka
from orderly.backing.locks import tls_of_redis
from orderly.folder import Folder
from orderly.servers import KAFKA, REDIS, Servers

PATIENCE = 5.0  # seconds
ANY_SETTING = {
    "background.threads": "10"
}  # Kafka's default: with each setting of its own a broker reads its key stores again


def new_certificates(folder: Folder, servers: Servers) -> None:
    """Raises LogError."""
    _tell_kafka(folder, servers)
    _tell_redis(folder, servers)


def _tell_kafka(folder: Folder, servers: Servers) -> None:
    connection = connection_of(settings.read(OnKafka, servers.environment(folder, KAFKA)))
    try:
        with closing(KafkaAdminClient(**connection.client())) as admin:
            nodes = [str(node["broker_id"]) for node in admin.describe_cluster()["brokers"]]
            admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, node, dict(ANY_SETTING)) for node in nodes])
    except errors.KafkaError as error:
        raise LogError(f"Kafka at {connection.bootstrap} was not told of new certificates: {error!r}") from None


def _tell_redis(folder: Folder, servers: Servers) -> None:
    told = servers.environment(folder, REDIS)
    own = folder.certificates / REDIS
    url = complete(told["ORDERLY_REDIS_URL"], ca_file=own / "ca.crt", password_file=folder.redis_password(REDIS))
    words = [word for pair in tls_of_redis(folder).items() for word in pair]
    try:
        with redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as server:
            server.execute_command("CONFIG", "SET", *words)
    except redis.RedisError as error:
        raise Unavailable(f"Redis was not told of new certificates: {error}") from None
