"""Strict JSON, by itself: what the gateway's input tests send over the wire, and what they cannot see from there."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, RootModel

from common import json_body
from common.contracts.api import PlaceOrderBody
from common.problems import Problem

Anything = RootModel[JsonValue]


def status(raw: bytes) -> int:
    try:
        json_body.decode(raw, Anything)
    except Problem as problem:
        return problem.status
    return 200


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
                    max_leaves=20))  # fmt: skip
def test_all_JSON_that_means_one_thing_is_read_as_that(value: JsonValue) -> None:
    assert json_body.decode(json.dumps(value).encode(), Anything).root == value


@given(st.binary(max_size=200))
def test_no_bytes_at_all_are_more_than_a_4xx(raw: bytes) -> None:
    try:
        json_body.decode(raw, PlaceOrderBody)
    except Problem as problem:
        assert problem.status in (400, 422)


def test_braces_inside_strings_are_no_depth() -> None:
    assert status(json.dumps({"a": "[{" * 100 + '\\"' + "]" * 3}).encode()) == 200
    assert status(json.dumps([["[[[[" * 100, '"[["']] * 40).encode()) == 200


def test_32_levels_are_fine_and_33_are_not() -> None:
    assert status(b"[" * 32 + b"]" * 32) == 200
    assert status(b"[" * 33 + b"]" * 33) == 400
    assert status(b'{"a":' * 33 + b"1" + b"}" * 33) == 400
    assert status(b"[[],[]," + b"[" * 31 + b"]" * 31 + b"]") == 200


@pytest.mark.parametrize("raw", [b'"' + b"\\" * 60_000, b'"' * 65_000, b'["' * 30_000, b'"\\' * 30_000, b"{" * 65_000,
                                 b"-" * 65_000, b"1" * 65_000, b'{"a":1,' * 9_000])  # fmt: skip
def test_no_body_is_slow_to_refuse(raw: bytes) -> None:
    started = time.process_time()
    assert status(raw) == 400
    assert time.process_time() - started < 0.2
