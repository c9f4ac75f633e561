"""Where the brokers are and how to speak to them: everything a client of any kind needs to know, and nothing else."""

import ssl
from collections.abc import Callable
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

    @property
    def manner(self) -> str:
        """How a broker is spoken to, for messages."""
        login = (self.sasl_mechanism, self.sasl_username) if self.sasl_mechanism else ()
        return " ".join(filter(None, (self.security_protocol, *login)))

    def client(self) -> dict[str, Any]:
        """The same in the client's words. The files of TLS are read anew for each connection, so that they may change while
        a process lives; a password when a client is made. Raises LogError."""
        found: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
        }
        try:
            if self.security_protocol.endswith("SSL"):
                found["ssl_context"] = _Fresh(self._tls)
            if self.sasl_mechanism:
                found["sasl_mechanism"] = self.sasl_mechanism
                found["sasl_plain_username"] = self.sasl_username
                found["sasl_plain_password"] = self._password()
        except OSError as error:
            raise LogError(f"{self.bootstrap} cannot be spoken to in {self.manner}: {error}") from None
        return found

    def _tls(self) -> ssl.SSLContext:
        """Whom to trust, and who this is. Without a CA those that the system trusts."""
        for path in filter(None, (self.ca_file, self.cert_file, self.key_file)):
            path.open("rb").close()  # here the error tells the name
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def _password(self) -> str:
        if self.sasl_password_file is None:
            raise LogError(f"there is no password file for {self.sasl_username}")
        return self.sasl_password_file.read_text().strip()


class _Fresh(ssl.SSLContext):
    """Stands where the client wants a context for good. Raises OSError at once where the files cannot be used."""

    def __new__(cls, *_: object) -> "_Fresh":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        make()
        self._make = make

    def wrap_socket(self, *arguments: Any, **more: Any) -> ssl.SSLSocket:
        return self._make().wrap_socket(*arguments, **more)
