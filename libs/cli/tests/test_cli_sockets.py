"""Ports for servers that come back on them."""

import pytest

from orderly.failure import Failure
from orderly.sockets import PORTS, free_ports, is_free, listen


def test_ports_are_different_free_and_below_those_of_outgoing_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PORTS, raising=False)
    found = free_ports(20)
    assert len(set(found)) == 20
    assert all(15_000 <= port < 32_000 and is_free(port) for port in found)


def test_they_are_out_of_the_range_that_is_named_as_long_as_one_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = free_ports(1)
    monkeypatch.setenv(PORTS, f"{first}-{first + 1}")
    with listen(first):
        assert first not in free_ports(int(is_free(first + 1)))
        with pytest.raises(Failure, match=f"of the ports {first}-{first + 1} only"):
            free_ports(2)


@pytest.mark.parametrize("told", ["", "15000", "2-1", "many", "70000-70001"])
def test_what_is_no_range_is_told(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv(PORTS, told)
    with pytest.raises(Failure, match=PORTS if told != "70000-70001" else "only 0 are free"):
        free_ports(1)
