"""Path, query and header forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from common import parameters
from common.problems import Problem


def request(query: str = "", headers: dict[str, str] | None = None, method: str = "GET", **path: str) -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return Request(
        {
            "type": "http",
            "method": method,
            "headers": raw,
            "query_string": query.encode(),
            "path_params": path,
            "path": "/",
        }
    )


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5),
        ("wait=30", 30),
        ("wait=31", 30),
        ("wait=999999999", 30),
        ("Wait = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=10", 10),
        ("wait=7; foo=bar, return=minimal", 7),
        ("wait=0", 0),
        ("", 0),
        ("wait", 0),
        ("wait=", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=x", 0),
        ("wait=9999999999999999999", 0),
        ("wait=٣", 0),
        ("await=5", 0),
        ("return=minimal", 0),
    ],
)
def test_a_wish_to_wait_is_bounded_and_what_makes_no_sense_is_ignored(prefer: str, seconds: int) -> None:
    assert parameters.wait({"prefer": prefer}) == seconds


@pytest.mark.parametrize(("query", "limit"), [("", 50), ("limit=1", 1), ("limit=100", 100), ("cursor=a", 50)])
def test_a_limit_is_1_to_100(query: str, limit: int) -> None:
    assert parameters.limit(request(query)) == limit


CANARY = "Zq7"


@given(st.text(max_size=30))
def test_any_text_as_a_header_or_parameter_is_read_or_a_problem(text: str) -> None:
    text += CANARY
    encoded = text.encode("latin-1", "replace").decode("latin-1")
    whole = request(f"limit={text}&cursor={text}", {"Idempotency-Key": encoded, "Consistency-Token": encoded},
                    sku=text, order_id=text)  # fmt: skip
    for read in (
        parameters.limit,
        parameters.cursor,
        parameters.idempotency_key,
        parameters.consistency_token,
        parameters.sku,
        parameters.order_id,
    ):
        try:
            read(whole)
        except Problem as problem:
            assert 400 <= problem.status < 500
            assert CANARY not in problem.detail


def test_a_sku_that_cannot_be_is_unknown_to_a_reader_and_invalid_from_a_writer() -> None:
    for method, status in (("GET", 404), ("PUT", 422), ("POST", 422)):
        with pytest.raises(Problem) as caught:
            parameters.sku(request(method=method, sku="a b"))
        assert caught.value.status == status


def test_an_order_id_has_one_form() -> None:
    good = "ord_" + "0" * 32
    assert parameters.order_id(request(order_id=good)) == good
    for bad in (good + "\n", good.upper(), good[:-1], good + "0", "0" * 32, ""):
        with pytest.raises(Problem):
            parameters.order_id(request(order_id=bad))
