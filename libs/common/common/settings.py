"""Settings: one frozen dataclass per service, read once from the environment, all mistakes reported together.

A field `log_level: str = "info"` is read from `ORDERLY_LOG_LEVEL`; a field without a default must be set.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from common.errors import SettingsError

T = TypeVar("T")

PREFIX = "ORDERLY_"
ROLES = ("all", "api", "processor", "projector")
ENGINES = ("embedded", "kafka")


def _boolean(text: str) -> bool:
    known = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}
    return known[text.lower()]


READERS: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    bool: _boolean,
    Path: Path,
    int | None: int,
    str | None: str,
    Path | None: Path,
}


def read(settings: type[T], environ: Mapping[str, str]) -> T:
    """Fill `settings` from `environ`. Raises SettingsError that lists every missing and every unreadable variable."""
    kinds = get_type_hints(settings)
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # T is a dataclass type, which has no name
        name = PREFIX + field.name.upper()
        text = environ.get(name, "")
        if text:
            try:
                values[field.name] = READERS[kinds[field.name]](text)
            except (ValueError, KeyError):
                wrong.append(f"{name}: {text!r} is no {getattr(kinds[field.name], '__name__', kinds[field.name])}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            wrong.append(f"{name} is not set")
    if wrong:
        raise SettingsError("; ".join(wrong))
    return settings(**values)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where a service listens. A file descriptor, when the supervisor passes one on, goes before host and port.
    `faults`: fault switches count (see faults/), those of `faults_file` and, over them, those of the data folder. `zone`: where
    it runs, when that matters for whom it asks. `registry_url`: whom to tell that it is there, at the base URL `advertised`,
    else where it listens. `certificates`: the folder of its own, see common.security.credentials; no service starts without.
    `leave_seconds`: told to end, it serves for so long, and each answer ends its connection, while its callers turn to others.
    `audit`: the file for what it denies (see common.security.audit). `traces`: the file for its last spans. `metrics`: off is
    for measuring what measuring costs."""

    host: str = "127.0.0.1"
    port: int = 8443
    api_fd: int | None = None
    admin_port: int = 9464
    admin_fd: int | None = None
    parent_fd: int | None = None
    certificates: Path | None = None
    audit: Path | None = None
    traces: Path | None = None
    role: str = "all"
    zone: str = ""
    registry_url: str | None = None
    advertised: str = ""
    log_level: str = "info"
    leave_seconds: float = 0.0
    drain_seconds: float = 5.0
    faults: bool = False
    faults_file: Path | None = None
    metrics: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnKafka:
    """Where the brokers are, and as whom they are spoken to. `kafka_replication` is that of topics yet to be made;
    `kafka_degraded` allows a broker whose transactions can be torn."""

    kafka_bootstrap: str = ""
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_ca_file: Path | None = None
    kafka_cert_file: Path | None = None
    kafka_key_file: Path | None = None
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password_file: Path | None = None
    kafka_replication: int = 1
    kafka_degraded: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnRedis:
    """Where it is, and as whom it is spoken to: the URL names the user."""

    redis_url: str = ""
    redis_ca_file: Path | None = None
    redis_password_file: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keeping(OnKafka, OnRedis):
    """Where a platform keeps its log and its read models. `kafka_*` and `redis_*` are for the engine of that name.

    `master_key`: the file with the key that wraps customers' keys (see security/master.py), else `keys/master` in the folder.
    """

    data: Path
    master_key: Path | None = None
    engine: str = "embedded"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Processing(Listening, Keeping):
    """A service that keeps aggregates. `member` names this process in its group: a restart under the same name takes over
    at once and fences its predecessor."""

    member: str = "0"
    lease_ms: int = 5_000
