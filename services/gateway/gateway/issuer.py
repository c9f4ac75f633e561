"""The built-in demo issuer: signs access tokens (RFC 9068) for demo clients and people, so that the platform runs without any
other. All gateways with the same key ring are one issuer.
"""

import secrets
from collections.abc import Mapping

from common.clock import SECOND, Clock
from common.security import jws
from common.security.keyring import KeyRing
from common.security.tokens import KIND, LONGEST_LIFE

_BY_SECRET = ["client_secret_basic", "client_secret_post", "none"]


class DemoIssuer:
    """`url` is the issuer's name and where its documents are."""

    def __init__(self, url: str, audience: str, ring: KeyRing, clock: Clock) -> None:
        self.url = url
        self._audience = audience
        self._ring = ring
        self._clock = clock

    def token(self, subject: str, role: str, client: str, id: str = "") -> str:
        """For this client to act as the subject: itself, or the person who has logged in. `id`: what it can be revoked by."""
        now = self._clock() // SECOND
        claims = {
            "iss": self.url,
            "aud": self._audience,
            "sub": subject,
            "client_id": client,
            "roles": [role],
            "iat": now,
            "exp": now + LONGEST_LIFE,
            "jti": id or secrets.token_urlsafe(16),
        }
        key = self._ring.signing
        return jws.sign(KIND, claims, key, kid=key.kid)

    def metadata(self) -> Mapping[str, object]:
        """What it can do (RFC 8414, RFC 9207). It gives access tokens, and no ID tokens."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/oauth/authorize",
            "token_endpoint": f"{self.url}/oauth/token",
            "revocation_endpoint": f"{self.url}/oauth/revoke",
            "jwks_uri": f"{self.url}/.well-known/jwks.json",
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": _BY_SECRET,
            "revocation_endpoint_auth_methods_supported": _BY_SECRET,
        }

    def key_set(self) -> Mapping[str, object]:
        return {"keys": self._ring.key_set()}
