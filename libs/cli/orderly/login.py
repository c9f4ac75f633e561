"""Log in with a browser: a native application's side of authorization code with PKCE (RFC 8252, RFC 7636, RFC 9207).

It listens on loopback, at a port of its own, for the one answer that has the state that it made up and comes from the issuer
that it asked; what else comes there is told to go away.
"""

import base64
import hashlib
import secrets
import threading
import time
import urllib.parse
import webbrowser
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

from rich.markup import escape

from orderly.api import Api
from orderly.failure import Failure
from orderly.output import say
from orderly.sockets import LOOPBACK

CLIENT = "orderly"
WITHIN = 300.0  # seconds, for a person
_DONE = b"<!doctype html><title>Orderly</title><p>You are logged in. You can close this page."


def token(gateway: Api) -> str:
    """An access token of whoever logs in. Raises Failure where nobody does."""
    issuer = gateway.base_url
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    with _Listener((LOOPBACK, 0), _Answer) as listener:
        listener.state, listener.issuer = state, issuer
        back = f"http://{LOOPBACK}:{listener.server_port}/callback"
        asked = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": back,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
            .rstrip(b"=")
            .decode(),
            "code_challenge_method": "S256",
            "state": state,
        }
        page = f"{issuer}/oauth/authorize?{urllib.parse.urlencode(asked)}"
        say(f"log in at {escape(page)}", stderr=True)
        threading.Thread(
            target=webbrowser.open, args=(page,), daemon=True
        ).start()  # one in the terminal comes back late
        told = listener.wait()
    if "code" not in told:
        raise Failure(f"nobody was logged in: {told.get('error', 'the answer has no code')}")
    grant = {"grant_type": "authorization_code", "code": told["code"], "code_verifier": verifier}
    return gateway.redeem(client_id=CLIENT, redirect_uri=back, **grant)


class _Listener(HTTPServer):
    state = ""
    issuer = ""
    told: Mapping[str, str] | None = None

    def wait(self) -> Mapping[str, str]:
        ends = time.monotonic() + WITHIN
        while self.told is None:
            self.timeout = ends - time.monotonic()
            if self.timeout <= 0:
                raise Failure(f"nobody has logged in within {WITHIN:.0f} s")
            self.handle_request()
        return self.told


class _Answer(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 5.0  # seconds that a connection may take: there may be nobody behind it

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        told = dict(urllib.parse.parse_qsl(query))
        ours = path == "/callback" and told.get("iss") == self.server.issuer
        if not ours or not secrets.compare_digest(told.get("state", "").encode(), self.server.state.encode()):
            self.send_error(404)
            return
        self.server.told = told
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(_DONE)))
        self.end_headers()
        self.wfile.write(_DONE)

    def log_message(self, format: str, *arguments: object) -> None:
        """What is asked here has a code in it: nothing is written down."""
