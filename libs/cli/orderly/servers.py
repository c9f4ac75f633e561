"""The addresses of what the real engine stands on, and as whom a service goes there."""

from collections.abc import Mapping
from dataclasses import dataclass

from orderly.folder import Folder

KAFKA, REDIS = "kafka", "redis"  # whom their own certificates speak for: each may do everything in itself


@dataclass(frozen=True, slots=True)
class Servers:
    """Where Kafka and Redis are; nowhere, for an engine that needs none. `replication` is for topics yet to be made.

    `secure`: they are ours, and let in only whom they know, by TLS. What others run is spoken to as the environment says.
    """

    kafka_bootstrap: str = ""
    redis_url: str = ""
    replication: int = 0
    secure: bool = False

    def environment(self, folder: Folder, user: str) -> Mapping[str, str]:
        """For a service, or whoever else comes as `user`. A replication that the environment names is left alone."""
        if not self.kafka_bootstrap:
            return {}
        told = {"ORDERLY_KAFKA_BOOTSTRAP": self.kafka_bootstrap, "ORDERLY_REDIS_URL": self.redis_url}
        told |= {"ORDERLY_KAFKA_REPLICATION": str(self.replication)} if self.replication else {}
        return told | (self._as(folder, user) if self.secure else {})

    def _as(self, folder: Folder, user: str) -> dict[str, str]:
        own = folder.certificates / user
        return {
            "ORDERLY_KAFKA_SECURITY_PROTOCOL": "SSL",
            "ORDERLY_KAFKA_CA_FILE": str(own / "ca.crt"),
            "ORDERLY_KAFKA_CERT_FILE": str(own / "tls.crt"),
            "ORDERLY_KAFKA_KEY_FILE": str(own / "tls.key"),
            "ORDERLY_REDIS_URL": self.redis_url.replace("://", f"://{user}@"),
            "ORDERLY_REDIS_CA_FILE": str(own / "ca.crt"),
            "ORDERLY_REDIS_PASSWORD_FILE": str(folder.redis_password(user)),
        }
