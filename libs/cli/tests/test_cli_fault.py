"""`orderly fault`: what is set is listed, ends when it should, and what makes no sense is refused with advice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def fault(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orderly", "fault", *words, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def listed(data: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(fault(data, "list", "--json").stdout)
    return found


def test_switches_are_set_listed_and_cleared(tmp_path: Path) -> None:
    assert listed(tmp_path) == {}
    assert fault(tmp_path, "set", "payment.latency", "2s").returncode == 0
    assert fault(tmp_path, "set", "order.errors", "20%").returncode == 0
    assert fault(tmp_path, "set", "payment.latency", "3s").returncode == 0
    assert listed(tmp_path) == {"payment.latency": "3s", "order.errors": "20%"}
    assert fault(tmp_path, "clear", "payment.latency").returncode == 0
    assert listed(tmp_path) == {"order.errors": "20%"}
    assert fault(tmp_path, "clear").returncode == 0
    assert listed(tmp_path) == {}


def test_a_switch_that_has_ended_is_not_listed(tmp_path: Path) -> None:
    assert fault(tmp_path, "set", "order.cpu", "5%", "--for", "0").returncode == 0
    assert listed(tmp_path) == {}


@pytest.mark.parametrize("words", [("payment.flood", "2s"), ("nobody.latency", "2s"), ("payment.latency", "2 parsecs")])
def test_what_makes_no_sense_is_refused_with_advice(tmp_path: Path, words: tuple[str, str]) -> None:
    done = fault(tmp_path, "set", *words)
    assert done.returncode == 1
    assert "orderly fault list --all" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_switches_are_shown_with_what_they_do(tmp_path: Path) -> None:
    shown = fault(tmp_path, "list", "--all").stdout
    assert "provider.drop" in shown
    assert "order.freeze" in shown
    assert "gateway.freeze" not in shown
