"""The issuer's HTTP side for programs: a token for client credentials (RFC 6749, 4.4), or for a code that somebody was given
who logged in (4.1; login.py); its revocation (RFC 7009); and metadata and keys for those who verify tokens.

Errors are problems that carry OAuth's `error` as an extension member.
"""

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response

from common.problems import Problem
from common.respond import as_json
from common.security import audit, policy
from common.security.identity import Identity
from common.security.keyring import KeyRing
from common.security.tokens import LONGEST_LIFE, Verifier
from gateway import forms, openapi_oauth
from gateway.accounts import Accounts
from gateway.admission import Admission, address
from gateway.codes import Codes
from gateway.issuer import DemoIssuer
from gateway.spent import Spent

_CACHED = {"Cache-Control": "public, max-age=60"}  # less than a key is published before it signs


class OAuth:
    """What the demo issuer is made of."""

    def __init__(
        self,
        issuer: DemoIssuer,
        accounts: Accounts,
        codes: Codes,
        admission: Admission,
        verifier: Verifier,
        spent: Spent,
        ring: KeyRing,
    ) -> None:
        self.issuer = issuer
        self.accounts = accounts
        self.codes = codes
        self.admission = admission
        self._verifier = verifier
        self._spent = spent
        self._ring = ring

    async def start(self) -> None:
        """Do and hear from now on what other gateways, and the command line, want it to."""
        await self._ring.start()
        await self._spent.start()

    async def close(self) -> None:
        await self._ring.close()
        await self._spent.close()

    async def token(self, request: Request) -> str:
        """Raises Problem 400, 401, 415 or 429."""
        form = await forms.read(request)
        client, secret = forms.credentials(request, form)
        match form.get("grant_type"):
            case "client_credentials":
                role = self.accounts.authenticate(client, secret, address(request))
                if role is None:
                    raise forms.unknown_client()
                return self.issuer.token(client, role, client)
            case "authorization_code":
                return await self._for_code(form, self._client(request, client, secret))
            case None:
                raise forms.refusal("invalid_request", "grant_type: say which.")
            case _:
                detail = "grant_type: authorization_code or client_credentials."
                raise forms.refusal("unsupported_grant_type", detail)

    async def _for_code(self, form: Mapping[str, str], client: str) -> str:
        code, uri, verifier = (form.get(name, "") for name in ("code", "redirect_uri", "code_verifier"))
        if not (code and uri and verifier):
            raise forms.refusal("invalid_request", "Send code, redirect_uri and code_verifier.")
        grant = await self.codes.take(code, client, uri, verifier)
        role = self.accounts.role_of(grant.subject)
        if role is None:
            raise forms.refusal("invalid_grant", "There is no such account any more.")
        return self.issuer.token(grant.subject, role, client, grant.id)

    async def revoke(self, request: Request) -> None:
        """By the client it was given to, or an operator. A token that is no good any more is revoked already. Raises Problem
        400, 401, 415 or 429, and Unavailable: then it is revoked here, and whether elsewhere is not known."""
        form = await forms.read(request)
        client, secret = forms.credentials(request, form)
        client = self._client(request, client, secret)
        if "token" not in form:
            raise forms.refusal("invalid_request", "token: say which.")
        try:
            access = await self._verifier.access(form["token"])
        except Problem:
            return
        role = self.accounts.role_of(client)
        asking = Identity(client, frozenset({role} if role else ()))
        if not policy.permits(asking, "revoke_token", policy.Token(access.id, access.client)):
            raise forms.refusal("unauthorized_client", "The token was given to another client.")
        await self._spent.add(access.id, access.expires)
        audit.done(client, f"revoked a token of {access.identity.subject}")

    def _client(self, request: Request, client: str, secret: str) -> str:
        """An application, which has no secret, or an account with its own."""
        if client in self.accounts.applications and not secret:
            return client
        if self.accounts.authenticate(client, secret, address(request)) is None:
            raise forms.unknown_client()
        return client


def add(app: FastAPI, oauth: OAuth) -> None:
    """The issuer's routes for programs."""

    @app.post("/oauth/token", **openapi_oauth.TOKEN)
    async def token(request: Request) -> Response:
        await oauth.admission.slow_down(request)
        answer = {"access_token": await oauth.token(request), "token_type": "Bearer", "expires_in": LONGEST_LIFE}
        return as_json(answer, headers=forms.UNSTORED)

    @app.post("/oauth/revoke", **openapi_oauth.REVOKE)
    async def revoke(request: Request) -> Response:
        await oauth.admission.slow_down(request)
        await oauth.revoke(request)
        return Response(headers=forms.UNSTORED)

    @app.get("/.well-known/oauth-authorization-server", **openapi_oauth.METADATA)
    async def metadata(_: Request) -> Response:
        return as_json(oauth.issuer.metadata(), headers=_CACHED)

    @app.get("/.well-known/openid-configuration", **openapi_oauth.DISCOVERY)
    async def discovery(_: Request) -> Response:
        return as_json(oauth.issuer.metadata(), headers=_CACHED)

    @app.get("/.well-known/jwks.json", **openapi_oauth.KEY_SET)
    async def key_set(_: Request) -> Response:
        return as_json(oauth.issuer.key_set(), headers=_CACHED)
