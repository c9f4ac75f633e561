"""For tests: somebody whom an application has sent to log in, from the page to the token."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from common.testing.http import Reply
from gateway.testing import Edge

CONSOLE = "http://gateway.test/console/callback"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Visit:
    """Somebody whom an application has sent to log in. `asked` is what it said; None leaves a parameter out."""

    gateway: Edge
    asked: dict[str, str | None] = field(default_factory=dict)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    cookie: str = ""

    @property
    def path(self) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        right: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "console",
            "redirect_uri": CONSOLE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": "s t&1",
        }
        return "/oauth/authorize?" + urlencode({k: v for k, v in {**right, **self.asked}.items() if v is not None})

    async def page(self) -> Reply:
        reply = await self.gateway.address.request("GET", self.path)
        self.cookie = reply.headers.get("set-cookie", "").partition(";")[0]
        return reply

    async def send(self, name: str = "alice", password: str = "alice-secret", **more: str) -> Reply:
        """The form, with the cookie that came with the page."""
        form = {"ticket": self.cookie.partition("=")[2], "name": name, "password": password, **more}
        headers = {**FORM, **({"Cookie": self.cookie} if self.cookie else {})}
        return await self.gateway.address.request("POST", self.path, headers, urlencode(form).encode())

    async def code(self, name: str = "alice") -> str:
        await self.page()
        reply = await self.send(name, f"{name}-secret")
        assert reply.status == 303, reply.body
        return answered(reply)["code"]

    async def token(self, code: str, at: Edge | None = None, **changes: str) -> Reply:
        form = {
            "grant_type": "authorization_code",
            "client_id": "console",
            "redirect_uri": CONSOLE,
            "code": code,
            "code_verifier": self.verifier,
            **changes,
        }
        to = (at or self.gateway).address
        return await to.request("POST", "/oauth/token", FORM, urlencode(form).encode())


def answered(reply: Reply) -> Mapping[str, str]:
    """What the application is told, at its own address."""
    where, _, query = reply.headers["location"].partition("?")
    assert where == CONSOLE
    return dict(parse_qsl(query, strict_parsing=True))
