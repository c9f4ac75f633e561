"""Every denied decision leaves a line: who was refused what, and why. Never what was sent."""

import structlog

_log = structlog.get_logger("audit")


def denied(who: str, what: str, why: str, trace_id: str = "") -> None:
    _log.warning("denied", who=who, what=what, why=why, trace_id=trace_id)
