"""What no event tells: every denied decision, and what an operator did to keys. Who, what, and why; never what was sent.

Each is a line of the process's log and, where the setting `audit` names a file, one of that file too, to which all processes of
a platform append. State changes are in the events. `orderly audit verify` tells whether either was tampered with.
"""

import os
from pathlib import Path

import msgspec
import structlog

from common import tracecontext
from common.clock import rfc3339, system_clock

_log = structlog.get_logger("audit")
_file: Path | None = None


def keep(file: Path | None) -> None:
    """From now on this process's lines go there too."""
    global _file
    _file = file


def denied(who: str, what: str, why: str, trace_id: str = "") -> None:
    trace_id = trace_id or tracecontext.trace_id(tracecontext.doing().traceparent)
    _log.warning("denied", who=who, what=what, why=why, trace_id=trace_id)
    _append("denied", who, what, why, trace_id)


def done(who: str, what: str, why: str = "") -> None:
    """An operator's act that changes no aggregate."""
    _log.info("done", who=who, what=what, why=why)
    _append("done", who, what, why, "")


def _append(kind: str, who: str, what: str, why: str, trace_id: str) -> None:
    if _file is None:
        return
    line = {"at": rfc3339(system_clock()), "kind": kind, "who": who, "what": what, "why": why, "trace_id": trace_id}
    try:
        file = os.open(_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, msgspec.json.encode(line) + b"\n")  # one write: lines of several processes do not mix
        finally:
            os.close(file)
    except OSError as error:
        _log.error("audit line not kept", error=str(error))  # the decision stands: a full disk must not let anybody in
