"""Identity and trace, from one service to the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import tracecontext
from common.problems import Problem
from common.security.identity import Identity
from common.testing.certificates import spiffe

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), st.frozensets(st.sampled_from("abc")))
def test_an_identity_arrives_as_it_was_sent(subject: str, roles: frozenset[str]) -> None:
    identity = Identity(subject, roles)
    assert Identity.of(identity.headers(), spiffe("gateway")) == identity


def test_a_request_that_names_nobody_did_not_come_through_the_gateway() -> None:
    for headers in ({}, {"orderly-roles": "operator"}, {"orderly-subject": ""}):
        with pytest.raises(Problem) as caught:
            Identity.of(headers, spiffe("gateway"))
        assert caught.value.status == 401


def test_without_mutual_tls_the_headers_count_for_nothing() -> None:
    with pytest.raises(Problem) as caught:
        Identity.of(Identity("alice").headers(), None)
    assert caught.value.status == 401


def test_a_service_that_asks_by_itself_is_who_its_certificate_says() -> None:
    itself = Identity("service:order")
    assert Identity.of({}, spiffe("order")) == itself
    assert Identity.of(Identity("service:order", frozenset({"operator"})).headers(), spiffe("order")) == itself


def test_a_service_that_claims_to_be_somebody_else_is_refused() -> None:
    for claimed in ("alice", "service:payment"):
        with pytest.raises(Problem) as caught:
            Identity.of(Identity(claimed).headers(), spiffe("order"))
        assert caught.value.status == 403


def test_a_usable_trace_goes_on() -> None:
    assert tracecontext.accept(GOOD) == GOOD
    assert tracecontext.trace_id(GOOD) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("header", [None, "", "x", GOOD.upper(), GOOD + "\n", GOOD + "-x", GOOD[:-1], "ff" + GOOD[2:],
                                    GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
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
