"""Who may do what to what, as a table; and that the policies are what their schema says."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from cedarpy import validate_policies

from common.clock import HOUR
from common.problems import Problem
from common.security import audit, policy
from common.security.identity import Identity
from common.security.policy import engine
from common.security.policy.actions import ACTIONS, INTERNAL
from common.security.policy.resources import API, Resource

DAY = 24 * HOUR
NOW = 1_800_000_000_000


def user(name: str, *roles: str, region: str | None = None) -> Identity:
    return Identity(name, frozenset(roles), region)


PRINCIPALS = {
    "alice": user("alice", "customer"),
    "bob": user("bob", "customer"),
    "operator": user("olga", "operator"),
    "auditor": user("aude", "auditor"),
    "nobody": user("nobody"),
    "service": user("service:order"),
    "called alike": user("service:alice", "customer"),
}
SEEN = ("alice", "operator", "auditor")

# action → who may ask for it at all
DOOR: Mapping[str, Sequence[str]] = {
    "place_order": ("alice", "bob", "called alike"),
    "cancel_order": ("alice", "bob", "called alike"),
    "list_orders": ("alice", "bob", "called alike", "operator"),
    "show_order": ("alice", "bob", "called alike", "operator", "auditor"),
    "show_timeline": ("alice", "bob", "called alike", "operator", "auditor"),
    "stream_timeline": ("alice", "bob", "called alike", "operator", "auditor"),
    "show_payment": ("alice", "bob", "called alike", "operator", "auditor"),
    "list_products": ("alice", "bob", "called alike", "operator", "auditor", "service"),
    "show_product": ("alice", "bob", "called alike", "operator", "auditor", "service"),
    "put_product": ("operator",),
    "receive_stock": ("operator",),
    "read_audit": ("auditor",),
}

ORDER = policy.Order("ord_1", "alice", 4_200, NOW - DAY)
PAYMENT = policy.Payment("ord_1", "alice")

# action, resource → who may do that to it
THINGS: Sequence[tuple[str, Resource, Sequence[str]]] = [
    ("show_order", ORDER, SEEN),
    ("show_timeline", ORDER, SEEN),
    ("stream_timeline", ORDER, SEEN),
    ("read_delivery", ORDER, ("alice", "operator")),
    ("cancel_order", ORDER, ("alice",)),
    ("place_order", ORDER, ("alice",)),
    ("show_payment", PAYMENT, SEEN),
    ("revoke_token", policy.Token("t1", "alice"), ("alice", "operator")),
    ("revoke_token", policy.Token("t1", "nobody"), ("nobody", "operator")),
    ("put_product", ORDER, ()),
    ("show_payment", ORDER, ()),
    ("show_order", PAYMENT, ()),
    ("register", policy.Registration("order"), ("service",)),
    ("leave", policy.Registration("order"), ("service",)),
    ("register", policy.Registration("payment"), ()),
    ("no_such_action", ORDER, ()),
]


def may(caller: Identity, action: str, resource: Resource = API, now: int | None = NOW) -> bool:
    try:
        if resource is API:
            policy.enter(caller, action)
        else:
            policy.demand(caller, action, resource, now=now if action == "cancel_order" else None)
    except Problem as problem:
        assert problem.status == 403
        return False
    return True


@pytest.mark.parametrize("action", DOOR)
@pytest.mark.parametrize("name", PRINCIPALS)
def test_at_the_door(name: str, action: str) -> None:
    assert may(PRINCIPALS[name], action) == (name in DOOR[action])


@pytest.mark.parametrize(("action", "resource", "allowed"), THINGS, ids=lambda it: str(getattr(it, "id", it)))
@pytest.mark.parametrize("name", PRINCIPALS)
def test_on_the_thing(name: str, action: str, resource: Resource, allowed: Sequence[str]) -> None:
    assert may(PRINCIPALS[name], action, resource) == (name in allowed)


@pytest.mark.parametrize(
    ("caller", "total", "allowed"),
    [
        (user("alice", "customer"), 100_000_000, True),
        (user("alice", "customer"), 100_000_001, False),
        (user("alice", "customer", "operator"), 100_000_001, True),
        (user("alice", "operator"), 1, False),
        (user("alice", "customer"), None, False),
    ],
)
def test_an_order_has_a_limit_that_takes_an_operator(caller: Identity, total: int | None, allowed: bool) -> None:
    assert may(caller, "place_order", policy.Order("ord_1", "alice", total)) == allowed


@pytest.mark.parametrize(
    ("placed", "now", "allowed"),
    [
        (NOW, NOW, True),
        (NOW - 14 * DAY, NOW, True),
        (NOW - 14 * DAY - 1, NOW, False),
        (None, NOW, False),
        (NOW, None, False),
    ],
)
def test_an_order_can_be_cancelled_for_14_days(placed: int | None, now: int | None, allowed: bool) -> None:
    assert may(user("alice", "customer"), "cancel_order", policy.Order("ord_1", "alice", 1, placed), now) == allowed


@pytest.mark.parametrize(
    ("region", "served", "allowed"),
    [
        (None, (), True),
        ("eu", (), True),
        ("eu", ("eu", "uk"), True),
        ("us", ("eu", "uk"), False),
        (None, ("eu", "uk"), False),
    ],
)
def test_orders_are_taken_from_the_served_regions(region: str | None, served: Sequence[str], allowed: bool) -> None:
    alice = user("alice", "customer", region=region)
    policy.enter(alice, "list_products", served=frozenset(served))
    if allowed:
        policy.enter(alice, "place_order", served=frozenset(served))
    else:
        with pytest.raises(Problem, match="403 forbidden: Orders are taken from callers of the served regions alone"):
            policy.enter(alice, "place_order", served=frozenset(served))


def test_every_policy_is_what_the_schema_says() -> None:
    found = validate_policies("\n".join(engine.texts().values()), engine.schema())
    assert found.validation_passed, found.errors


def test_every_policy_has_a_name_of_its_own() -> None:
    together = "\n".join(engine.texts().values())
    names = re.findall(r'^@id\("(.+)"\)', together, re.MULTILINE)
    assert len(names) == len(set(names)) == len(re.findall(r"^(?:permit|forbid) \(", together, re.MULTILINE))


def test_no_policy_names_anybody_or_anything_so_that_decisions_can_be_made_without_names() -> None:
    assert not [
        text for text in engine.texts().values() if re.search(r'\b(User|Service|Order|Payment|Registration)::"', text)
    ]


def test_every_action_of_the_schema_is_a_route_and_every_route_an_action_of_it() -> None:
    declared = set(re.findall(r"\b[a-z]+_[a-z]+\b|\bregister\b|\bleave\b", _actions()))
    routed = {action for routes in ACTIONS.values() for action in routes.values()}
    assert declared - {"read_delivery"} == routed


def test_what_only_services_ask_of_each_other_is_permitted_to_them_alone() -> None:
    for action in INTERNAL:
        for kind in ("User", "Service", "Visitor"):
            caller = engine.Principal(kind, frozenset(policy.ROLES) if kind == "User" else frozenset())
            assert engine.decide(caller, action, API).allowed == (kind == "Service"), (kind, action)


def test_what_is_open_is_open_to_visitors_and_nothing_else_is() -> None:
    routed = {action for routes in ACTIONS.values() for action in routes.values()}
    assert {it for it in routed if policy.is_open(it)} == {
        *("issue_token", "revoke_token", "show_login", "log_in"),
        *("read_metadata", "read_discovery", "read_keys", "read_openapi"),
    }


def test_a_denial_says_which_role_it_takes() -> None:
    with pytest.raises(Problem, match="This takes the role operator"):
        policy.enter(PRINCIPALS["alice"], "put_product")


def test_a_denial_is_audited_and_what_is_only_asked_is_not(tmp_path: Path) -> None:
    audit.keep(tmp_path / "acts.jsonl")
    try:
        assert not policy.allows(PRINCIPALS["bob"], "show_order", ORDER)
        assert policy.permits(PRINCIPALS["alice"], "show_order", ORDER)
        assert not policy.permits(PRINCIPALS["bob"], "show_order", ORDER)
        assert not may(PRINCIPALS["bob"], "put_product")
    finally:
        audit.keep(None)
    first, second = map(msgspec.json.decode, (tmp_path / "acts.jsonl").read_text().splitlines())
    assert (first["who"], first["what"], first["why"]) == ("bob", "show_order ord_1", "no policy permits it")
    assert (second["who"], second["what"]) == ("bob", "put_product")


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "", "é", "x" * 255])
def test_a_name_is_a_name_whatever_is_in_it(name: str) -> None:
    order = policy.Order("ord_1", name, 1, NOW)
    assert may(user(name, "customer"), "show_order", order)
    assert not may(user("alice", "customer"), "show_order", order)


def _actions() -> str:
    return " ".join(re.findall(r"action ([^;]*?)(?: in| appliesTo|;)", re.sub("//.*", "", engine.schema())))
