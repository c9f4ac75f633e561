"""The addresses of what the real engine stands on."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Servers:
    """Where Kafka and Redis are; nowhere, for an engine that needs none. `replication` is for topics yet to be made."""

    kafka_bootstrap: str = ""
    redis_url: str = ""
    replication: int = 0

    def environment(self) -> Mapping[str, str]:
        """For a service. A replication that the environment names is left alone."""
        if not self.kafka_bootstrap:
            return {}
        told = {"ORDERLY_KAFKA_BOOTSTRAP": self.kafka_bootstrap, "ORDERLY_REDIS_URL": self.redis_url}
        return told | ({"ORDERLY_KAFKA_REPLICATION": str(self.replication)} if self.replication else {})
