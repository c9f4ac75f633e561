"""Signed JWTs, read strictly (RFC 7515, RFC 8725): who checks one says what it is to be, never the token itself.

The algorithm is chosen by the key; `jku`, `x5u` and `jwk` in a header are not even read; no extension is known, so `crit` is
refused whatever it names. Header and claims are JSON as everybody must read it: no two equal names, no NaN. What is not such a
token is a ValueError, which says what is wrong with it and repeats nothing of it.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

LATEST = 2**53

_form = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)").fullmatch
_NO_JWT = "it is not a signed JWT"


@dataclass(frozen=True, slots=True)
class Jws:
    """Taken apart, and not yet believed."""

    header: Mapping[str, Any]
    _token: str

    @classmethod
    def of(cls, token: str, kind: str) -> "Jws":
        """`kind`: the only `typ` that it may have, so that no token is taken for one of another use (RFC 8725, 3.11)."""
        parts = _form(token)
        if parts is None:
            raise ValueError(_NO_JWT)
        header = _object(parts[1])
        if str(header.get("typ")).lower() not in (kind, f"application/{kind}"):
            raise ValueError(f"it is not of the type {kind}")
        if "crit" in header:
            raise ValueError("it demands an extension that is not known here")
        return cls(header, token)

    def claims(self, key: Key) -> Mapping[str, Any]:
        """What the holder of this very key has signed."""
        algorithm = self.header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in algorithms(key):
            raise ValueError("its key is not for its algorithm")
        signed, _, signature = self._token.rpartition(".")
        try:
            holds = JWSRegistry.algorithms[algorithm].verify(signed.encode(), _decoded(signature), key)
        except (JoseError, ValueError):
            holds = False
        if not holds:
            raise ValueError("its signature is wrong")
        return _object(signed.partition(".")[2])


def sign(kind: str, claims: Mapping[str, Any], key: Key, **header: Any) -> str:
    """A token of the type `kind`, with more in its header where that is given."""
    algorithm = min(algorithms(key))
    head = {"alg": algorithm, "typ": kind, **header}
    signed = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return f"{signed}.{_encoded(JWSRegistry.algorithms[algorithm].sign(signed.encode(), key))}"


def algorithms(key: Key) -> frozenset[str]:
    """The signature algorithms that this very key is for: never what a token says of itself (J1, J2)."""
    match key:
        case RSAKey():
            names = frozenset({"RS256"})
        case ECKey() if key.curve_name == "P-256":
            names = frozenset({"ES256"})
        case OKPKey() if key.curve_name == "Ed25519":
            names = frozenset({"EdDSA", "Ed25519"})
        case _:
            names = frozenset()
    return names if key.alg is None else names & {key.alg}


def held(key: object) -> Key:
    """A certificate's public key, or the private one behind it, as a key for tokens."""
    match key:
        case EllipticCurvePublicKey() | EllipticCurvePrivateKey():
            return ECKey.import_key(key)
        case RSAPublicKey() | RSAPrivateKey():
            return RSAKey.import_key(key)
        case _:
            raise ValueError("its key is of a kind that signs no token here")


def instant(claims: Mapping[str, Any], name: str) -> int:
    """A time, in seconds since 1970."""
    found = claims.get(name)
    if type(found) is not int or not 0 <= found < LATEST:
        raise ValueError(f"its {name} is not a time")
    return found


def _object(part: str) -> Mapping[str, Any]:
    """A JSON object as the signer and everybody else must read it."""
    try:
        found = json.loads(_decoded(part), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # its message may quote the token
        raise ValueError(_NO_JWT) from None
    if not isinstance(found, dict):
        raise ValueError(_NO_JWT)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("two equal keys in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
