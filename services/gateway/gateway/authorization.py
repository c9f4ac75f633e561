"""What an application asks of a person who is to log in (RFC 6749, 4.1.1; RFC 9700): read strictly, before anybody sees a page.

Whom to answer is settled first: where the application or its address is not known, only the person is told, and nobody is sent
anywhere. Every other fault is the application's, and goes back to it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.accounts import Application
from gateway.codes import is_challenge

_is_state = re.compile(r"[ -~]{1,512}").fullmatch


class Unanswerable(Exception):
    """There is nobody to go back to. Its text is for the person."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An application's, that somebody log in. `fault` is OAuth's `error` where it is none that can be granted."""

    application: Application
    redirect_uri: str
    state: str | None
    challenge: str
    fault: str = ""

    def back(self, issuer: str, **answer: str) -> str:
        """Where to go with the answer, which says whose it is (RFC 9207)."""
        said = {**answer, **({"state": self.state} if self.state is not None else {}), "iss": issuer}
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{urlencode(said)}"


def read(asked: Sequence[tuple[str, str]], known: Mapping[str, Application]) -> Wish:
    """Raises Unanswerable."""
    given = dict(asked)
    twice = {name for name, _ in asked if sum(other == name for other, _ in asked) > 1}
    application = known.get(given.get("client_id", ""))
    if application is None or "client_id" in twice:
        raise Unanswerable("No application that is known here has sent you.")
    uri = given.get("redirect_uri", "")
    if "redirect_uri" in twice or not application.may_redirect_to(uri):
        raise Unanswerable(f"You would not come back to {application.title}: it has not registered that address.")
    state, challenge = given.get("state"), given.get("code_challenge", "")
    fault = "invalid_request" if twice or not _complete(given) else ""
    if "response_type" in given and given["response_type"] != "code":
        fault = "unsupported_response_type"
    usable = "state" not in twice and (state is None or _is_state(state))
    return Wish(application, uri, state if usable else None, challenge, fault if usable else "invalid_request")


def _complete(given: Mapping[str, str]) -> bool:
    """Its challenge is by S256: a plain one is no secret once it was seen (RFC 9700, 2.1.1)."""
    return (
        "response_type" in given
        and given.get("code_challenge_method") == "S256"
        and is_challenge(given.get("code_challenge", "")) is not None
        and given.get("response_mode", "query") == "query"
    )
