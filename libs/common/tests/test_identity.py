"""Identity and trace, from one service to the next."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import tracecontext
from common.security.identity import Identity

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    st.frozensets(st.sampled_from("abc")),
    st.sampled_from([None, "eu", "us-east_1"]),
)
def test_an_identity_is_what_its_claims_say(subject: str, roles: frozenset[str], region: str | None) -> None:
    identity = Identity(subject, roles, region)
    assert Identity.claimed(json.loads(json.dumps(identity.claims()))) == identity


@pytest.mark.parametrize("region", ["", "EU", "e u", 1, ["eu"]])
def test_a_region_is_a_name(region: object) -> None:
    with pytest.raises(ValueError, match="its region"):
        Identity.claimed({"sub": "alice", "region": region})


def test_a_usable_trace_goes_on() -> None:
    assert tracecontext.accept(GOOD) == GOOD
    assert tracecontext.trace_id(GOOD) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("header", [None, "", "x", GOOD.upper(), GOOD + "\n", GOOD + "-x", GOOD[:-1], "ff" + GOOD[2:],
                                    GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),  # pragma: allowlist secret
                                    GOOD.replace("00f067aa0ba902b7", "0" * 16)])  # fmt: skip
def test_an_unusable_one_starts_anew(header: str | None) -> None:
    fresh = tracecontext.accept(header)
    assert fresh != header
    assert tracecontext.accept(fresh) == fresh


def test_a_request_has_one_trace_however_often_it_is_asked() -> None:
    scope = {"headers": [(b"host", b"a")]}
    assert tracecontext.of(scope) == tracecontext.of(scope)
    assert tracecontext.of({"headers": [(b"traceparent", GOOD.encode())]}) == GOOD
    assert tracecontext.of({"headers": [(b"traceparent", b"\xff")]}) != "\xff"
