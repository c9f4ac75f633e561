"""Rules as data, and as what Prometheus reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import yaml

Severity = Literal["page", "ticket"]

HEAD = "# Made by `make observability` from deploy/observability/rules: change it there.\n"
ZERO = timedelta()


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """`page`: somebody has to look now; `ticket`: some day this week. `runbook`: its page in docs/runbooks."""

    name: str
    expr: str
    severity: Severity
    summary: str
    runbook: str
    lasts: timedelta = ZERO
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    rules: Sequence[Recording | Alert]


def render(groups: Sequence[Group]) -> str:
    """The YAML of one rule file."""
    shown = [{"name": group.name, "rules": [_rule(rule) for rule in group.rules]} for group in groups]
    return HEAD + yaml.safe_dump({"groups": shown}, sort_keys=False, width=1000)


def spoken(duration: timedelta) -> str:
    """As Prometheus writes it: `90s`, `5m`, `3d`. Not below a second."""
    seconds = max(1, round(duration.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _rule(rule: Recording | Alert) -> dict[str, Any]:
    match rule:
        case Recording(name, expr, labels):
            return {"record": name, "expr": expr, **({"labels": dict(labels)} if labels else {})}
        case Alert():
            return {
                "alert": rule.name,
                "expr": rule.expr,
                **({"for": spoken(rule.lasts)} if rule.lasts else {}),
                "labels": {"severity": rule.severity, **rule.labels},
                "annotations": {"summary": rule.summary, "runbook": f"docs/runbooks/{rule.runbook}.md"},
            }
