"""A private certificate authority: it signs short-lived certificates that speak for one service each, and nothing else.

Keys are P-256, which every TLS stack has. The CA may sign leaves only (path length 0), a leaf can sign nothing. Revocation is
expiry: a leaf lives for hours, so that there is no list of revoked ones to keep, publish and fail to fetch.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from common.clock import HOUR, MINUTE, Instant, Millis
from common.security.spiffe import SpiffeId

AUTHORITY_LIFE: Millis = 365 * 24 * HOUR
LEAF_LIFE: Millis = 24 * HOUR
BACKDATED: Millis = 5 * MINUTE  # for clocks that are behind ours


@dataclass(frozen=True, slots=True)
class Credential:
    """A key and its certificate, both PEM."""

    key: bytes
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, now: Instant, life: Millis = AUTHORITY_LIFE) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Orderly private CA {secrets.token_hex(4)}")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        made = (
            _certificate(key, now, life)
            .subject_name(name)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        )
        return cls(key, made.sign(key, hashes.SHA256()))

    @classmethod
    def load(cls, stored: Credential) -> "Authority":
        """Raises ValueError where these are not a key and a certificate of the kind that `create` makes."""
        key = serialization.load_pem_private_key(stored.key, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the authority's key is not an elliptic curve key")
        return cls(key, x509.load_pem_x509_certificate(stored.certificate))

    def stored(self) -> Credential:
        return Credential(_pem(self.key), self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, holder: SpiffeId, now: Instant, life: Millis = LEAF_LIFE, more: Sequence[x509.GeneralName] = ()
    ) -> Credential:
        """A new key and a certificate for it, good for both ends of a connection. The subject, and `more` names, are for those
        who do not know SPIFFE: Kafka, Redis and their clients. We do not look at them at all."""
        return self.sign([x509.UniformResourceIdentifier(str(holder)), *more], now, life, subject=holder.service)

    def sign(self, names: Sequence[x509.GeneralName], now: Instant, life: Millis, subject: str = "") -> Credential:
        """Names of any kind: tests make certificates that speak for nobody, or for two."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        made = (
            _certificate(key, now, life)
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []))
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=not subject)  # RFC 5280, 4.2.1.6
        return Credential(_pem(key), made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _certificate(key: ec.EllipticCurvePrivateKey, now: Instant, life: Millis) -> x509.CertificateBuilder:
    at = datetime.fromtimestamp(now / 1000, UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .public_key(key.public_key())
        .not_valid_before(at - timedelta(milliseconds=BACKDATED))
        .not_valid_after(at + timedelta(milliseconds=life))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
