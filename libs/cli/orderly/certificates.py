"""The platform's certificates on disk: a private CA, and for each service a folder with what it shows and what it trusts.

    certs/authority/     the CA's key and certificate, for the supervisor alone: `signing`, and while it is replaced `next` or
                         `previous`
    certs/<service>/     tls.crt, tls.key, ca.crt: what the service gets, and sees change

`step` does whatever is due, and may be called by anybody at any time: leaves are replaced at half of their life. A new CA is
first trusted everywhere, then signs, and the old one is forgotten when no connection can rest on it any more; each of these
waits is longer than what it waits for, so that nobody's request fails.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from common.clock import HOUR, SECOND, Clock, Instant, Millis, system_clock
from common.security.access import OPERATOR
from common.security.authority import LEAF_LIFE, Authority, Credential
from common.security.credentials import AUTHORITIES, CERTIFICATE, KEY, publish
from common.security.spiffe import Holder, SpiffeId
from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT, PROVIDER, REGISTRY
from orderly.servers import KAFKA, REDIS
from orderly.sockets import LOOPBACK

HOLDERS = (GATEWAY, ORDER, PAYMENT, INVENTORY, PROVIDER, REGISTRY)
Holders = Mapping[str, Sequence[x509.GeneralName]]
ADDRESS = x509.IPAddress(ip_address(LOOPBACK))  # of our Kafka and Redis: their clients look for it
BACKING_HOLDERS: Holders = {KAFKA: [ADDRESS], REDIS: [ADDRESS], OPERATOR: ()}
TRUST_DOMAIN = "orderly.local"
NAMESPACE = "orderly"
TRUSTED_AFTER: Millis = 15 * SECOND  # services look for new files every 2 s
FORGOTTEN_AFTER: Millis = 90 * SECOND  # and their clients keep an idle connection for 30 s
AUTHORITY_MARGIN: Millis = 30 * 24 * HOUR

SIGNING, NEXT, PREVIOUS = "signing", "next", "previous"


@dataclass(frozen=True, slots=True)
class Shown:
    """One certificate, for people to look at. `role`: signing, next or previous, or the service it belongs to."""

    role: str
    name: str
    signed_by: str
    expires: Instant


class Store:
    """Raises OSError where the folder cannot be used, ValueError where there is something else in it. `platform`: trust domain
    and namespace of those who are spoken for; `holders`: who that is, and what their clients look for besides, where they are
    not those of one machine."""

    def __init__(
        self,
        folder: Path,
        clock: Clock = system_clock,
        *,
        secure: bool = False,
        life: Millis = LEAF_LIFE,
        trusted_after: Millis = TRUSTED_AFTER,
        forgotten_after: Millis = FORGOTTEN_AFTER,
        platform: tuple[str, str] = (TRUST_DOMAIN, NAMESPACE),
        holders: Holders | None = None,
    ) -> None:
        self._folder = folder
        self._authority = folder / "authority"
        self._clock = clock
        secure = secure or self.folder_of(KAFKA).exists()
        local: Holders = {**dict.fromkeys(HOLDERS, ()), **(BACKING_HOLDERS if secure else {})}
        self._holders = local if holders is None else holders
        self._platform = platform
        self._life = life
        self._trusted_after = trusted_after
        self._forgotten_after = forgotten_after

    def folder_of(self, service: str) -> Path:
        return self._folder / service

    def step(self) -> Instant:
        """Make what is missing, replace what is due. Returns when something will be due next."""
        with self._alone():
            self._advance()
            self._renew()
            return self._next()

    def rotate(self) -> None:
        """New keys and certificates for all services, now."""
        with self._alone():
            self._advance()
            self._renew(everyone=True)
            os.utime(self._authority)  # our supervisor looks there

    def rotate_authority(self) -> bool:
        """Begin to replace the CA; `step` does the rest in its time. False where that is under way already."""
        with self._alone():
            self._advance()
            begun = self._begin_rotation()
            self._renew()
            return begun

    def show(self) -> list[Shown]:
        """The CAs that are trusted now, then what each service shows."""
        found = {role: self._certificate(role) for role in (SIGNING, NEXT, PREVIOUS)}
        found |= {service: self._leaf(service) for service in self._holders}
        return [
            Shown(
                role,
                one.subject.rfc4514_string() if role in (SIGNING, NEXT, PREVIOUS) else str(Holder.of(one).id),
                one.issuer.rfc4514_string(),
                expires(one),
            )
            for role, one in found.items()
            if one is not None
        ]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """The supervisor and the command line may both be here."""
        self._authority.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _advance(self) -> None:
        """Whatever is due of the CA's life. Cut short anywhere, it is done again."""
        signing = self._certificate(SIGNING)
        if signing is None or expires(signing) <= self._clock():
            self._save(SIGNING, Authority.create(self._clock()))
            return
        if expires(signing) - AUTHORITY_MARGIN <= self._clock():
            self._begin_rotation()
        if self._age(NEXT) > self._trusted_after:
            self._write(PREVIOUS, signing.public_bytes(serialization.Encoding.PEM))  # its key has nothing left to do
            os.replace(self._path(NEXT), self._path(SIGNING))
        elif self._age(PREVIOUS) > self._forgotten_after:
            self._path(PREVIOUS).unlink()

    def _begin_rotation(self) -> bool:
        if self._path(NEXT).exists() or self._path(PREVIOUS).exists():
            return False
        self._save(NEXT, Authority.create(self._clock()))
        return True

    def _renew(self, everyone: bool = False) -> None:
        """Leaves that are missing, past half of their life, or of a CA that no longer signs; and what everybody trusts."""
        stored = self._path(SIGNING).read_bytes()
        signing = Authority.load(Credential(stored, stored))
        bundle = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self._trusted())
        for service, more in self._holders.items():
            folder = self.folder_of(service)
            leaf = self._leaf(service)
            if everyone or leaf is None or self._due(leaf, signing):
                id = SpiffeId(*self._platform, service)
                made = signing.issue(id, self._clock(), self._life, more)
                publish(folder, made.certificate, made.key, bundle)
            elif (folder / AUTHORITIES).read_bytes() != bundle:
                publish(folder, (folder / CERTIFICATE).read_bytes(), (folder / KEY).read_bytes(), bundle)

    def _next(self) -> Instant:
        leaves = [
            expires(leaf) - self._life // 2 for service in self._holders if (leaf := self._leaf(service)) is not None
        ]
        waits = {NEXT: self._trusted_after, PREVIOUS: self._forgotten_after}
        steps = [self._clock() - age + wait for role, wait in waits.items() if (age := self._age(role)) >= 0]
        return min(leaves + steps)

    def _due(self, leaf: x509.Certificate, signing: Authority) -> bool:
        return expires(leaf) - self._life // 2 <= self._clock() or leaf.issuer != signing.certificate.subject

    def _trusted(self) -> list[x509.Certificate]:
        return [found for role in (SIGNING, NEXT, PREVIOUS) if (found := self._certificate(role)) is not None]

    def _leaf(self, service: str) -> x509.Certificate | None:
        return _read(self.folder_of(service) / CERTIFICATE)

    def _certificate(self, role: str) -> x509.Certificate | None:
        return _read(self._path(role))

    def _path(self, role: str) -> Path:
        return self._authority / f"{role}.pem"

    def _age(self, role: str) -> Millis:
        """Since it was put there; -1 where there is none."""
        try:
            return self._clock() - round(self._path(role).stat().st_mtime * 1000)
        except FileNotFoundError:
            return -1

    def _save(self, role: str, authority: Authority) -> None:
        stored = authority.stored()
        self._write(role, stored.key + stored.certificate)

    def _write(self, role: str, content: bytes) -> None:
        beside = self._path(f"{role}.new")
        beside.unlink(missing_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._path(role))


def expires(certificate: x509.Certificate) -> Instant:
    return round(certificate.not_valid_after_utc.timestamp() * 1000)


def _read(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None
