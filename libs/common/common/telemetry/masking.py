"""Nothing personal and no secret in a log line: masked by the name of a field, and by what a text looks like.

A second line of defence: nobody is to log such a thing, and what is personal is sealed before it gets anywhere. It is meant for
the exception of a library that says what it was given. A name or an address looks like any other text and is known by its
field alone.
"""

import re
from functools import lru_cache
from typing import Any

MASK = "***"
FIELDS = frozenset(
    {"delivery", "email", "address", "payment_token", "card", "access_token", "refresh_token"}
    | {"authorization", "cookie", "password", "client_secret"}
)

_LOOKS = re.compile(
    r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}"  # an e-mail address
    r"|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"  # a JWT (RFC 7519)
    r"|(?<=[Bb]earer )\S+"
    r"|(?<=://)[^\s/@]+(?=@)"  # a URL's user and password
    r"|\btok_\w+"  # a card token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END|$)",
    re.DOTALL,
)


def _suspicious(text: str) -> bool:
    """Nothing of the above is in a text without one of these: most are told in a tenth of the time."""
    return "@" in text or "eyJ" in text or "earer " in text or "tok_" in text or "-----BEGIN" in text


@lru_cache(1000)
def _secret(name: Any) -> bool:
    return str(name).lower() in FIELDS


def masked(value: Any) -> Any:
    """The value without what is nobody's business; the same object where there is nothing of it."""
    match value:
        case str():
            return _LOOKS.sub(MASK, value) if not value.isalnum() and _suspicious(value) else value
        case dict():
            return {name: MASK if _secret(name) else masked(it) for name, it in value.items()}
        case list() | tuple():
            return [masked(it) for it in value]
        case bytes() | BaseException():
            return masked(repr(value))
        case _:
            return value
