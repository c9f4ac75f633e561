"""The Kafka engine: the log is a Kafka, the read models are in a Redis."""

from common import redis_url
from common.clock import Millis
from common.errors import SettingsError
from common.eventlog.kafka import KafkaConnection, KafkaLog
from common.readmodel import Bell
from common.readmodel.redis import RedisGenerations, RedisReadModel, RedisView
from common.settings import Keeping, OnKafka


class KafkaEngine:
    def __init__(self, connection: KafkaConnection, url: str) -> None:
        self._connection = connection
        self._redis_url = url

    @classmethod
    def of(cls, settings: Keeping) -> "KafkaEngine":
        """Raises SettingsError when it does not say where they are."""
        needed = {"ORDERLY_KAFKA_BOOTSTRAP": settings.kafka_bootstrap, "ORDERLY_REDIS_URL": settings.redis_url}
        if missing := [name for name, value in needed.items() if not value]:
            raise SettingsError(f"ORDERLY_ENGINE is kafka, and {' and '.join(missing)} not set")
        url = redis_url.complete(
            settings.redis_url, ca_file=settings.redis_ca_file, password_file=settings.redis_password_file
        )
        return cls(connection_of(settings), url)

    def open_log(self, *, lease: Millis = 5_000, housekeeping: bool = False) -> KafkaLog:
        return KafkaLog(self._connection, lease=lease)

    def generations(self, service: str) -> RedisGenerations:
        return RedisGenerations(self._redis_url, service)

    def open_read_model(self, service: str, bell: Bell, *, generation: str | None = None) -> RedisReadModel:
        return RedisReadModel(self._redis_url, service, bell, generation=generation)

    def open_view(self, service: str, bell: Bell) -> RedisView:
        return RedisView(self._redis_url, service, bell)


def connection_of(settings: OnKafka) -> KafkaConnection:
    return KafkaConnection(
        bootstrap=settings.kafka_bootstrap,
        security_protocol=settings.kafka_security_protocol,
        ca_file=settings.kafka_ca_file,
        cert_file=settings.kafka_cert_file,
        key_file=settings.kafka_key_file,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_username=settings.kafka_sasl_username,
        sasl_password_file=settings.kafka_sasl_password_file,
        replication=settings.kafka_replication,
        degraded=settings.kafka_degraded,
    )
