"""Who can ask the demo issuer for a token: demo clients and people, who are the same few names with a secret that is none, and
applications that people log in to, which have no secret (RFC 6749, 2.1: public clients).

Wrong secrets are limited for each name and address before the secret is looked at, so that guessing is slow, and its success
not visible either.
"""

import hmac
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.security.identity import AUDITOR, CUSTOMER, OPERATOR
from common.security.tokens import demo_secret
from gateway.limits import RateLimit

GUESSES_A_SECOND = 0.5
GUESSES_AT_ONCE = 10

_account = re.compile(r"alice|bob|operator|auditor|customer-[A-Za-z0-9._-]{1,64}").fullmatch
_loopback = re.compile(r"http://127\.0\.0\.1:[1-9][0-9]{0,4}/callback").fullmatch


@dataclass(frozen=True, slots=True)
class Application:
    """`redirects`: where people may be sent back to, compared as text. `loopback`: it runs on their machine, and listens at
    http://127.0.0.1:{any port}/callback (RFC 8252, 7.3)."""

    id: str
    title: str
    redirects: Sequence[str] = ()
    loopback: bool = False

    def may_redirect_to(self, uri: str) -> bool:
        return uri in self.redirects or (self.loopback and _loopback(uri) is not None)


class Accounts:
    def __init__(self, console_redirects: Sequence[str]) -> None:
        self._guesses = RateLimit(GUESSES_A_SECOND, GUESSES_AT_ONCE, time.monotonic)
        known = (
            Application("console", "the Orderly console", console_redirects),
            Application("orderly", "the orderly command", loopback=True),
        )
        self.applications: Mapping[str, Application] = {it.id: it for it in known}

    def role_of(self, name: str) -> str | None:
        """What it may do; None: there is no such account."""
        if _account(name) is None:
            return None
        return name if name in (OPERATOR, AUDITOR) else CUSTOMER

    def authenticate(self, name: str, secret: str, address: str) -> str | None:
        """Its role; None: there is no such account, or its secret is another. Raises Problem 429."""
        role = self.role_of(name)
        guesser = f"{address} {name if role else ''}"
        self._guesses.check(guesser)
        if hmac.compare_digest(secret.encode(), demo_secret(name).encode()) and role is not None:
            return role
        self._guesses.take(guesser)
        return None
