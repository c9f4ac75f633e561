"""This process's certificate, key and trust bundle: read from a folder, and read again when they change there.

A folder holds `tls.crt`, `tls.key` and `ca.crt`, as a Kubernetes TLS secret is mounted. Whatever replaces them (the supervisor,
cert-manager), no restart is needed and no request fails. Files that cannot be used change nothing: what was loaded goes on,
and an alarm is raised in the log and in the health notes until they are repaired.
"""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

import structlog

from common.clock import Clock, rfc3339, system_clock
from common.errors import SettingsError
from common.security import tls
from common.security.spiffe import SpiffeId
from common.telemetry import metrics

CERTIFICATE = "tls.crt"
KEY = "tls.key"
AUTHORITIES = "ca.crt"
COMBINED = "tls-combined.pem"  # key and certificate, for those who want both in one file: a Kafka broker
FILES = (CERTIFICATE, KEY, AUTHORITIES)
LOOK_EVERY = 2.0  # seconds

_log = structlog.get_logger("credentials")


class Credentials:
    """Belongs to one event loop. Raises SettingsError where there is nothing to begin with."""

    def __init__(self, folder: Path, clock: Clock = system_clock) -> None:
        self._folder = folder
        self._clock = clock
        self._watching: asyncio.Task[None] | None = None
        self._complaint: str | None = None
        try:
            self._seen = self._read()
            self._loaded = self._load()
        except (OSError, ValueError) as error:
            raise SettingsError(f"certificates in {folder}: {error}") from None

    @classmethod
    def of(cls, service: str, folder: Path | None) -> "Credentials":
        """Those of this very service. There is no way to run without."""
        if folder is None:
            raise SettingsError("ORDERLY_CERTIFICATES is not set: the folder with tls.crt, tls.key and ca.crt")
        found = cls(folder)
        if found.id.service != service:
            raise SettingsError(f"certificates in {folder}: they speak for {found.id}, this is {service}")
        return found

    @property
    def id(self) -> SpiffeId:
        return self._loaded.holder.id

    @property
    def loaded(self) -> tls.Loaded:
        """Another one each time the files have changed."""
        return self._loaded

    def server(self) -> tls.Context:
        """For a listener: whoever connects must show a certificate. Who may ask what is decided by request."""
        return tls.Context(lambda: self._loaded, self._clock, None)

    def client(self, service: str) -> tls.Context:
        """For connections to this service of our platform, and to nobody else."""
        return tls.Context(lambda: self._loaded, self._clock, self.id.neighbour(service))

    def reload(self) -> bool:
        """Whether something new is in use now."""
        found: tuple[bytes, ...] = ()
        try:
            found = self._read()
            if found == self._seen:
                return False
            fresh = self._load()
            if fresh.holder.id != self.id:
                raise ValueError(f"they speak for {fresh.holder.id}, this process is {self.id}")
        except (OSError, ValueError) as error:
            if self._complaint != str(error):
                _log.error("new certificates cannot be used, those loaded before go on", error=str(error))
            self._seen, self._complaint = (), str(error)  # looked at again next time: it may have been half written
            return False
        self._seen, self._loaded, self._complaint = found, fresh, None
        _log.info("certificates loaded", expires=rfc3339(fresh.holder.expires), authorities=len(fresh.trusted))
        return True

    async def watch(self, every: float = LOOK_EVERY) -> None:
        """Look from now on, as long as the event loop runs, and let the metrics tell."""
        metrics.CERTIFICATE_EXPIRES.set_function(lambda: self._loaded.holder.expires / 1000)
        for side in ("server", "client"):
            metrics.HANDSHAKES_REFUSED.labels(side)  # a series that begins with its first event has no increase
        metrics.CERTIFICATE_ALARM.set_function(lambda: float(self.alarm() is not None))
        self._watching = asyncio.create_task(self._watch(every))

    def expired(self) -> str | None:
        """For readiness: nobody would talk to us."""
        expires = self._loaded.holder.expires
        return f"the certificate ran out at {rfc3339(expires)}" if self._clock() >= expires else None

    def alarm(self) -> str | None:
        """For the health notes: somebody must look at the files, while all still works."""
        return self._complaint

    async def _watch(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            self.reload()

    def _read(self) -> tuple[bytes, ...]:
        return tuple((self._folder / name).read_bytes() for name in FILES)

    def _load(self) -> tls.Loaded:
        folder = self._folder.resolve()  # one version of the folder, where versions are swapped by a link
        return tls.load(folder / CERTIFICATE, folder / KEY, folder / AUTHORITIES)


def publish(folder: Path, certificate: bytes, key: bytes, authorities: bytes) -> None:
    """Replace all files at once, readable by their owner alone: a reader finds the old ones or the new ones.

    `folder` becomes a link to a version beside it, as in a Kubernetes mount; the version before stays for who reads it now.
    """
    family = f".{folder.name}-"
    before = {folder.resolve().name} if folder.is_symlink() else set()
    for old in folder.parent.glob(f"{family}*"):
        if old.name not in before:
            shutil.rmtree(old)
    version = folder.with_name(family + secrets.token_hex(8))
    version.mkdir(mode=0o700)
    for name, content in zip((*FILES, COMBINED), (certificate, key, authorities, key + certificate), strict=True):
        with open(os.open(version / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    link = version / "link"
    link.symlink_to(version.name)
    link.replace(folder)
