"""The built-in demo issuer: signs access tokens (RFC 9068) for demo clients, so that the platform runs without any other.

Its key is made at the first start and kept, readable by its owner alone: tokens survive a restart.
"""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

from common.clock import SECOND, Clock
from common.security.identity import AUDITOR, CUSTOMER, OPERATOR
from common.security.tokens import LONGEST_LIFE

_client = re.compile(r"alice|bob|operator|auditor|customer-[A-Za-z0-9._-]{1,64}").fullmatch


def role_of(client: str) -> str | None:
    """What a demo client may do; None: there is no such client."""
    if _client(client) is None:
        return None
    return client if client in (OPERATOR, AUDITOR) else CUSTOMER


class DemoIssuer:
    """`url` is the issuer's name and where its documents are."""

    def __init__(self, url: str, audience: str, key: RSAKey, clock: Clock) -> None:
        self._url = url
        self._audience = audience
        self._key = key
        self._clock = clock

    def token(self, client: str, role: str) -> str:
        now = self._clock() // SECOND
        claims = {
            "iss": self._url,
            "aud": self._audience,
            "sub": client,
            "client_id": client,
            "roles": [role],
            "iat": now,
            "exp": now + LONGEST_LIFE,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": self._key.kid}, claims, self._key)

    def discovery(self) -> Mapping[str, object]:
        """OpenID Connect Discovery 1.0, RFC 8414."""
        return {
            "issuer": self._url,
            "token_endpoint": f"{self._url}/oauth/token",
            "jwks_uri": f"{self._url}/.well-known/jwks.json",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def key_set(self) -> Mapping[str, object]:
        return {"keys": [{**self._key.as_dict(private=False), "use": "sig", "alg": "RS256"}]}


def load_key(path: Path) -> RSAKey:
    """The key kept at `path`, made when there is none. Of two that start at once, one writes and both use the same."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(RSAKey.generate_key(2048).as_pem(private=True))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # fails where the other was first; nobody ever sees half a key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    key = RSAKey.import_key(path.read_bytes())
    key.ensure_kid()
    return key
