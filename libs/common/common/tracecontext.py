"""W3C Trace Context: the `traceparent` header that makes one trace of everything an order causes.

    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01      version, trace id, parent id, flags

(https://www.w3.org/TR/trace-context/) A header that is absent or malformed starts a new trace; it is never an error.
"""

import os
import re
from collections.abc import MutableMapping
from typing import Any

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def new() -> str:
    """The start of a trace, marked as sampled."""
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-01"


def accept(header: str | None) -> str:
    """The caller's trace, where it sent a usable one, else a new one."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else new()


def trace_id(traceparent: str) -> str:
    """What a person quotes and a tracing tool looks up; empty where there is no trace."""
    return traceparent[3:35]


def of(scope: MutableMapping[str, Any]) -> str:
    """The trace of an ASGI request: decided when first asked for, the same ever after."""
    known = scope.get("orderly.traceparent")
    if known is None:
        header = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
        known = scope["orderly.traceparent"] = accept(None if header is None else header.decode("latin-1"))
    return str(known)
