"""Where the brokers are and how to speak to them: everything a client of any kind needs to know, and nothing else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import LogError


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """`bootstrap` is a list `host:port,host:port`; the files are PEM. `replication` is that of topics yet to be created.

    `degraded` allows brokers that do not bump a producer's epoch with every transaction (KIP-890, `transaction.version` 2):
    a request of an earlier transaction that was delayed in the network may then reach into a later one.
    """

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password_file: Path | None = None
    replication: int = 1
    degraded: bool = False

    def client(self) -> dict[str, Any]:
        """The same in the client's words. The password is read anew each time, so that it may change. Raises LogError."""
        found: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
        }
        files = {"ssl_cafile": self.ca_file, "ssl_certfile": self.cert_file, "ssl_keyfile": self.key_file}
        found |= {name: str(path) for name, path in files.items() if path}
        if self.sasl_mechanism:
            found["sasl_mechanism"] = self.sasl_mechanism
            found["sasl_plain_username"] = self.sasl_username
            found["sasl_plain_password"] = self._password()
        return found

    def _password(self) -> str | None:
        if self.sasl_password_file is None:
            return None
        try:
            return self.sasl_password_file.read_text().strip()
        except OSError as error:
            raise LogError(f"the password of {self.sasl_username} cannot be read: {error}") from None
