"""Where people log in: one page, rendered here, without any script; then back to the application with a code.

A form is taken only together with the cookie that came with its page (a double submit), so no other site can send one in
somebody's browser. The page may be in no frame, may load nothing, and may send its form here alone, and from here to the
application. There is no session: logging in is done each time, for one application.
"""

import base64
import functools
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from common.problems import Problem
from common.security import audit
from gateway import authorization, forms, openapi_oauth
from gateway.admission import address
from gateway.authorization import Unanswerable, Wish
from gateway.codes import Grant
from gateway.oauth import OAuth

PATH = "/oauth/authorize"
PAGES = Path(__file__).parent / "pages"
LIFE = 600  # seconds that a page may lie there
LONGEST_NAME = 80

_is_ticket = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch


def add(app: FastAPI, oauth: OAuth) -> None:
    """The issuer's routes for people."""
    secure = oauth.issuer.url.startswith("https://")
    cookie = "__Host-orderly-login" if secure else "orderly-login"  # the prefix: no other host may have set it

    def asked(request: Request, wish: Wish, complaint: str = "", status: int = 200, **headers: str) -> Response:
        found = request.cookies.get(cookie, "")
        ticket = found if _is_ticket(found) else secrets.token_urlsafe(32)
        answer = _page(
            "login.html", status, wish, title=wish.application.title, ticket=ticket, complaint=complaint, **headers
        )
        answer.set_cookie(cookie, ticket, max_age=LIFE, path="/", secure=secure, httponly=True, samesite="lax")
        return answer

    @app.get(PATH, **openapi_oauth.AUTHORIZE)
    async def show(request: Request) -> Response:
        await oauth.admission.slow_down(request)
        try:
            wish = authorization.read(request.query_params.multi_items(), oauth.accounts.applications)
        except Unanswerable as error:
            return _page("stop.html", 400, complaint=str(error))
        return _back(wish, oauth, error=wish.fault) if wish.fault else asked(request, wish)

    @app.post(PATH, **openapi_oauth.LOGIN)
    async def log_in(request: Request) -> Response:
        await oauth.admission.slow_down(request)
        form = await forms.read(request)
        try:
            wish = authorization.read(request.query_params.multi_items(), oauth.accounts.applications)
        except Unanswerable as error:
            return _page("stop.html", 400, complaint=str(error))
        if wish.fault:
            return _back(wish, oauth, error=wish.fault)
        ticket = request.cookies.get(cookie, "")
        if not _is_ticket(ticket) or not hmac.compare_digest(ticket, form.get("ticket", "")):
            return asked(request, wish, "This page has lain here for too long. Please try again.", 403)
        name = form.get("name", "")[:LONGEST_NAME]
        try:
            role = oauth.accounts.authenticate(name, form.get("password", ""), address(request))
        except Problem as problem:
            wait = problem.headers["Retry-After"]
            return asked(request, wish, f"Too many attempts. Please wait {wait} s.", 429, **{"Retry-After": wait})
        if role is None:
            known = name if oauth.accounts.role_of(name) else "nobody"
            audit.denied(known, f"POST {PATH}", "name or password is wrong")
            return asked(request, wish, "Name or password is not right.", 403)
        grant = Grant(name, wish.application.id, wish.redirect_uri, wish.challenge)
        return _back(wish, oauth, code=oauth.codes.give(grant))


def _back(wish: Wish, oauth: OAuth, **answer: str) -> Response:
    """303: the form, and what is in it, goes no further (RFC 9700, 4.12)."""
    return RedirectResponse(wish.back(oauth.issuer.url, **answer), 303, {**forms.UNSTORED, **_PRIVATE})


def _page(name: str, status: int, wish: Wish | None = None, **values: Any) -> Response:
    headers = {key: value for key, value in values.items() if key == "Retry-After"}
    html, style = _render(name, values)
    after = f" {_origin(wish.redirect_uri)}" if wish else ""  # browsers hold the redirect that follows a form to it too
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{after}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(html, status, {**forms.UNSTORED, **_PRIVATE, **headers, "Content-Security-Policy": policy})


_PRIVATE = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _render(name: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """With the hash of its style, by which a browser knows it as ours."""
    style, template = _loaded(name)
    return template.render(style=style, **values), base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


@functools.cache
def _loaded(name: str) -> tuple[str, Any]:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only now: most gateways never show a page

    environment = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
    return (PAGES / "style.css").read_text(), environment.get_template(name)
