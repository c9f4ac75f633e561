"""Certificates of every kind for tests: good ones, and those that must not be accepted."""

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from common.clock import HOUR, Clock, Millis, system_clock
from common.security.authority import Authority, Credential
from common.security.credentials import Credentials, publish
from common.security.spiffe import SpiffeId

TRUST_DOMAIN = "orderly.local"


def spiffe(service: str, trust_domain: str = TRUST_DOMAIN) -> SpiffeId:
    return SpiffeId(trust_domain, "orderly", service)


class Certificates:
    """A platform's: one CA, and a folder for each service below `root`."""

    def __init__(self, root: Path, clock: Clock = system_clock) -> None:
        root.mkdir(exist_ok=True)
        self._root = root
        self._clock = clock
        self.authority = Authority.create(clock())

    def leaf(self, service: str, life: Millis = HOUR, trust_domain: str = TRUST_DOMAIN) -> Credential:
        return self.authority.issue(spiffe(service, trust_domain), self._clock(), life)

    def naming(self, *uris: str, subject: str = "") -> Credential:
        """Signed by the right CA, and for whatever these are."""
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        return self.authority.sign(names, self._clock(), HOUR, subject)

    def publish(self, service: str, leaf: Credential | None = None, trusted: Sequence[Authority] = ()) -> Path:
        """The service's folder, with a new certificate of its own unless one is given; trusting our CA, or those given."""
        chosen = leaf or self.leaf(service)
        bundle = b"".join(one.stored().certificate for one in trusted or (self.authority,))
        publish(self._root / service, chosen.certificate, chosen.key, bundle)
        return self._root / service

    def credentials(self, service: str, leaf: Credential | None = None) -> Credentials:
        return Credentials(self.publish(service, leaf), self._clock)
