"""Who a certificate speaks for, and until when: exactly one SPIFFE ID, or it speaks for nobody.

An id is `spiffe://<trust domain>/ns/<namespace>/sa/<service>`, the form that Kubernetes service meshes give a service account
(SPIFFE ID and X.509-SVID specifications). Subject and common name are not even looked at.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from common.clock import Instant

PEER = "peer"  # in the state of a request's scope: whose connection it came by, put there by the HTTP guard

_form = re.compile(r"spiffe://([a-z0-9._-]{1,255})/ns/([A-Za-z0-9._-]{1,63})/sa/([A-Za-z0-9._-]{1,63})").fullmatch


@dataclass(frozen=True, slots=True)
class SpiffeId:
    trust_domain: str
    namespace: str
    service: str

    @classmethod
    def parse(cls, text: str) -> "SpiffeId":
        """Raises ValueError."""
        parts = _form(text)
        if parts is None:
            raise ValueError("not spiffe://<trust domain>/ns/<namespace>/sa/<service>")
        return cls(*parts.groups())

    def neighbour(self, service: str) -> "SpiffeId":
        """Another service of the same platform."""
        return SpiffeId(self.trust_domain, self.namespace, service)

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}/ns/{self.namespace}/sa/{self.service}"


@dataclass(frozen=True, slots=True)
class Holder:
    """What a verified certificate says. `authority` is the key id of the CA that signed it: OpenSSL has made sure that the
    signer has that very key id, and in strict mode that it is there."""

    id: SpiffeId
    expires: Instant
    authority: bytes

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "Holder":
        """Raises ValueError where it does not name exactly one holder."""
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        except (x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
            raise ValueError(str(error)) from None
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        if len(uris) != 1:
            raise ValueError(f"{len(uris)} URI names where there must be exactly one")
        expires = round(certificate.not_valid_after_utc.timestamp() * 1000)
        return cls(SpiffeId.parse(uris[0]), expires, authority.key_identifier or b"")

    @classmethod
    def of_der(cls, der: bytes | None) -> "Holder":
        if der is None:
            raise ValueError("no certificate")
        return cls.of(x509.load_der_x509_certificate(der))


def peer_of(scope: Mapping[str, Any]) -> SpiffeId | None:
    """The service that asks; None on a connection without mutual TLS."""
    found = scope.get("state", {}).get(PEER)
    return found if isinstance(found, SpiffeId) else None
