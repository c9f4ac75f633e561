"""W3C Trace Context: the `traceparent` header that makes one trace of everything an order causes.

    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01      version, trace id, parent id, flags

(https://www.w3.org/TR/trace-context/) A header that is absent or malformed starts a new trace; it is never an error.

What a task or thread is doing now, and for which order, is known to it alone (`enter`): log lines and spans bear it.
"""

import os
import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, NamedTuple

_ORDER = "ord_"  # what an order's id begins with; a correlation may be something else, a SKU for example


class Doing(NamedTuple):
    """`order` empty: it is about none, or that is not known yet."""

    traceparent: str = ""
    order: str = ""


_doing: ContextVar[Doing] = ContextVar("doing", default=Doing())  # noqa: B039 immutable


def enter(traceparent: str, correlation: str = "") -> Doing:
    """From here on this task or thread works under this trace, for this order if it is one."""
    entered = Doing(traceparent, correlation if correlation.startswith(_ORDER) else "")
    _doing.set(entered)
    return entered


def about(order_id: str) -> None:
    """It has turned out which order this is about."""
    _doing.set(Doing(_doing.get().traceparent, order_id))


def doing() -> Doing:
    return _doing.get()


def resume(what: Doing) -> None:
    _doing.set(what)


_KEY = "orderly.traceparent"
_SAMPLED = frozenset(f"{flags:02x}" for flags in range(1, 256, 2))  # the last bit
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def new(*, sampled: bool = True) -> str:
    """The start of a trace, marked by whether somebody keeps it."""
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-0{sampled:d}"


def accept(header: str | None) -> str:
    """The caller's trace, where it sent a usable one, else a new one."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else new()


def trace_id(traceparent: str) -> str:
    """What a person quotes and a tracing tool looks up; empty where there is no trace."""
    return traceparent[3:35]


def span_id(traceparent: str) -> str:
    return traceparent[36:52]


def sampled(traceparent: str) -> bool:
    """Whether somebody keeps this trace; False where there is none."""
    return traceparent[-2:] in _SAMPLED


def sent(scope: MutableMapping[str, Any]) -> str:
    """The caller's, where it sent a usable one, else empty."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            header: str = value.decode("latin-1")
            return header if _TRACEPARENT.fullmatch(header) else ""
    return ""


def of(scope: MutableMapping[str, Any]) -> str:
    """The trace of an ASGI request: decided when first asked for, the same ever after."""
    return str(scope.get(_KEY) or decide(scope, sent(scope) or new()))


def decide(scope: MutableMapping[str, Any], traceparent: str) -> str:
    scope[_KEY] = traceparent
    return traceparent
