"""A small client of the public API, with the standard library alone: what the command says to the gateway."""

import http.client
import json
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orderly import runfile
from orderly.failure import Failure, NotRunning
from orderly.folder import Folder

WITHIN = 15.0  # seconds without a byte
SILENCE = 40.0  # on a stream, where a comment now and then says that all is well


class Refused(Failure):
    """The platform answered with a problem (RFC 9457)."""

    def __init__(self, status: int, title: str, detail: str, trace_id: str) -> None:
        advice = f"trace id {trace_id}" if status >= 500 and trace_id else ""
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}", advice)
        self.status = status


class Unanswered(Failure):
    """No answer came: whether the request was heard is not known. Ask again with the same key."""


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Api:
    """One caller, `who`, of one gateway. A connection of its own for each request: a command makes few."""

    base_url: str
    who: str
    _token: str = field(default="", repr=False)

    @classmethod
    def of(cls, folder: Folder, who: str) -> "Api":
        if elsewhere := os.environ.get("ORDERLY_URL"):
            return cls(elsewhere.rstrip("/"), who)
        run = runfile.read(folder)
        if run is None or not (run.running() or run.leftovers()):
            raise NotRunning(folder.root)
        return cls(run.base_url, who)

    def token(self) -> str:
        """An access token: $ORDERLY_TOKEN, whoever's that is, else one of the built-in demo issuer, whose demo clients have a
        secret that is no secret."""
        self._token = self._token or os.environ.get("ORDERLY_TOKEN", "")
        if not self._token:
            self._token = self.redeem(grant_type="client_credentials", **self._secret())
        return self._token

    def redeem(self, **grant: str) -> str:
        """The access token for it."""
        return str(self._send_form("/oauth/token", grant).body["access_token"])

    def revoke(self, token: str) -> None:
        """Have this one, whoever's it is where we are the operator, refused by every gateway (RFC 7009)."""
        self._send_form("/oauth/revoke", {"token": token, **self._secret()})

    def _secret(self) -> dict[str, str]:
        return {"client_id": self.who, "client_secret": f"{self.who}-secret"}

    def _send_form(self, path: str, form: Mapping[str, str]) -> Answer:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        try:
            return self._send("POST", path, urllib.parse.urlencode(form).encode(), headers, WITHIN)
        except Refused as refused:
            if refused.status != 404:
                raise
            raise Failure(
                f"{self.base_url} has no demo issuer, but takes the tokens of an outside one",
                "give one of those: ORDERLY_TOKEN=… orderly order list",
            ) from None

    def get(self, path: str, **query: str | int | None) -> Any:
        asked = urllib.parse.urlencode({name: value for name, value in query.items() if value})
        return self.send("GET", f"{path}?{asked}" if asked else path).body

    def send(
        self, method: str, path: str, body: Any = None, *, key: str = "", wait: int = 0, read_after: str = ""
    ) -> Answer:
        """`key`: Idempotency-Key; `wait`: for the outcome, so many seconds; `read_after`: a consistency token."""
        headers = {"authorization": f"Bearer {self.token()}"}
        if key:
            headers["idempotency-key"] = key
        if wait:
            headers["prefer"] = f"wait={wait}"
        if read_after:
            headers["consistency-token"] = read_after
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            headers["content-type"] = "application/json"
        return self._send(method, path, content, headers, WITHIN + wait)

    def pages(self, path: str, limit: int) -> Iterator[dict[str, Any]]:
        """The items of a list, at most `limit`, over as many pages as it takes."""
        cursor: str | None = None
        while limit > 0:
            page = self.get(path, limit=min(limit, 100), cursor=cursor)
            yield from page["items"][:limit]
            limit -= len(page["items"])
            cursor = page["next_cursor"]
            if not cursor:
                return

    def stream(self, path: str) -> Iterator[Event]:
        """Server-sent events until the server ends the stream. Raises Unanswered when the connection breaks."""
        headers = {"authorization": f"Bearer {self.token()}", "accept": "text/event-stream"}
        connection = self._connect(SILENCE)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise _problem(response.status, response.read())
            yield from _events(response)
        except (OSError, http.client.HTTPException) as error:
            raise self._unanswered("GET", path, error) from None
        finally:
            connection.close()

    def _send(self, method: str, path: str, content: bytes, headers: Mapping[str, str], within: float) -> Answer:
        connection = self._connect(within)
        try:
            connection.request(method, path, content or None, dict(headers))
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unanswered(method, path, error) from None
        finally:
            connection.close()
        if response.status >= 400:
            raise _problem(response.status, body)
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, json.loads(body) if body else None)

    def _connect(self, within: float) -> http.client.HTTPConnection:
        url = urllib.parse.urlsplit(self.base_url)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        return kind(url.netloc, timeout=within)

    def _unanswered(self, method: str, path: str, error: Exception) -> Unanswered:
        why = str(error) or type(error).__name__
        return Unanswered(f"{method} {self.base_url}{path}: no answer ({why})", "look at: orderly status")


def _problem(status: int, body: bytes) -> Refused:
    try:
        found = json.loads(body)
        return Refused(status, str(found["title"]), str(found.get("detail", "")), str(found.get("trace_id", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Refused(status, http.client.responses.get(status, "error"), "", "")


def _events(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[Event]:
    name, data = "message", ""
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield Event(name, json.loads(data))
            name, data = "message", ""
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
