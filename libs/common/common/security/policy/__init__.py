"""Who may do what to what: the one place that decides it, by the policies in this folder. What none of them permits is denied.

First at the door, by role and route alone (`enter`), then, where a thing has an owner, an amount or an age, on the thing
(`permits`, `demand`). Every decision is counted, every denial audited.

    customers.cedar operators.cedar auditors.cedar services.cedar    what each may do
    limits.cedar                                                     what nobody may, whatever the role
    orderly.cedarschema                                              entities, actions and their attributes
    actions.py                                                       which action each route of each service is
"""

import structlog

from common import tracecontext
from common.clock import Instant
from common.problems import Problem
from common.security import audit
from common.security.identity import AUDITOR, CUSTOMER, OPERATOR, SERVICE, Identity
from common.security.policy.actions import INTERNAL, action_of
from common.security.policy.engine import Principal, Verdict, decide
from common.security.policy.resources import API, Order, Payment, Registration, Resource, Token
from common.telemetry.metrics import POLICY_DECISIONS

__all__ = [
    "EVERYWHERE", "INTERNAL", "Order", "Payment", "Registration", "Token",
    "action_of", "allows", "demand", "enter", "is_open", "permits", "roles_for",
]  # fmt: skip

ROLES = (AUDITOR, CUSTOMER, OPERATOR)
EVERYWHERE: frozenset[str] = frozenset()

_log = structlog.get_logger("policy")


def enter(caller: Identity, action: str, served: frozenset[str] = EVERYWHERE) -> None:
    """At the door. Raises Problem 403 where the caller may not ask for this at all. `served`: the regions, if not all are."""
    verdict = _verdict(caller, action, API, served=served)
    if not _told(caller, action, "", verdict):
        raise _refusal(verdict.why or f"This takes the role {' or '.join(roles_for(action))}.")


def demand(caller: Identity, action: str, resource: Resource, *, now: Instant | None = None) -> None:
    """On the thing itself, which the caller knows of. Raises Problem 403."""
    verdict = _verdict(caller, action, resource, now)
    if not _told(caller, action, resource.id, verdict):
        raise _refusal(verdict.why or "This is not yours to do.")


def permits(caller: Identity, action: str, resource: Resource) -> bool:
    """The same, for the caller who must not learn from a denial that there is such a thing (A1)."""
    return _told(caller, action, resource.id, _verdict(caller, action, resource))


def allows(caller: Identity, action: str, resource: Resource) -> bool:
    """The same, where nothing is refused because of it: not audited."""
    return _verdict(caller, action, resource).allowed


def is_open(action: str) -> bool:
    """It takes no token."""
    return decide(Principal("Visitor"), action, API).allowed


def roles_for(action: str) -> list[str]:
    """Which roles alone are enough at the door."""
    return [role for role in ROLES if decide(Principal("User", frozenset({role})), action, API).allowed]


def _verdict(
    caller: Identity,
    action: str,
    resource: Resource,
    now: Instant | None = None,
    served: frozenset[str] = EVERYWHERE,
) -> Verdict:
    """A person has a role, or is not let in; so one who is called like a service never comes to be one."""
    if caller.subject.startswith(SERVICE) and not caller.roles:
        return decide(Principal("Service"), action, resource.seen_by(caller.subject.removeprefix(SERVICE)))
    return decide(Principal("User", caller.roles, caller.region), action, resource.seen_by(caller.subject), now, served)


def _told(caller: Identity, action: str, thing: str, verdict: Verdict) -> bool:
    POLICY_DECISIONS.labels(action, "allowed" if verdict.allowed else "denied").inc()
    if verdict.allowed:
        _log.debug("allowed", who=caller.subject, action=action, thing=thing)
    else:
        trace_id = tracecontext.trace_id(tracecontext.doing().traceparent)
        audit.denied(caller.subject, f"{action} {thing}".strip(), verdict.why or "no policy permits it", trace_id)
    return verdict.allowed


def _refusal(why: str) -> Problem:
    return Problem(403, "forbidden", why)
