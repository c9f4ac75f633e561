"""How switches are told to a service: flags in files, values with units, names that there are; nothing else is taken."""

import json
from pathlib import Path

import pytest

from common.errors import SettingsError
from common.faults import catalog, flagd
from common.faults.catalog import Fault, Unit
from common.faults.switches import Switches
from common.testing.eventually import eventually


def test_an_override_goes_before_the_base_and_a_broken_file_leaves_what_there_was(tmp_path: Path) -> None:
    base, over = tmp_path / "base.json", tmp_path / "over.json"
    flagd.write(base, {"order.latency": flagd.Flag({"1s": 1.0}, "1s"), "order.cpu": flagd.Flag({"5%": 0.05}, "5%")})
    switches = Switches("order", [base, over])
    assert switches.value(catalog.LATENCY) == 1.0
    flagd.write(over, {"order.latency": flagd.Flag({"2s": 2.0}, "2s")})
    eventually(lambda: switches.value(catalog.LATENCY), lambda value: value == 2.0)
    over.write_text("{")
    eventually(lambda: switches._provider._seen[over], lambda seen: seen and seen[1] == over.stat().st_ino)
    assert (switches.value(catalog.LATENCY), switches.value(catalog.CPU)) == (2.0, 0.05)
    over.unlink()
    eventually(lambda: switches.value(catalog.LATENCY), lambda value: value == 1.0)


@pytest.mark.parametrize(
    "flag",
    [
        {"variants": {"a": 1}, "defaultVariant": "b"},
        {"variants": {"a": 1}, "defaultVariant": "a", "targeting": {"if": []}},
        {"variants": {"a": {}}, "defaultVariant": "a"},
    ],
)
def test_a_flag_that_is_not_understood_is_refused(tmp_path: Path, flag: object) -> None:
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"flags": {"order.latency": flag}}))
    with pytest.raises(SettingsError):
        flagd.read(path)


@pytest.mark.parametrize("disabled", [{"state": "DISABLED"}, {"variants": {"off": 0}, "defaultVariant": "off"}])
def test_a_flag_that_is_disabled_or_off_does_nothing(tmp_path: Path, disabled: dict[str, object]) -> None:
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"flags": {"order.latency": {"variants": {"a": 1}, "defaultVariant": "a", **disabled}}}))
    assert Switches("order", [path]).value(catalog.LATENCY) == 0


def test_no_file_can_make_a_fault_larger_than_the_catalog_allows(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    flagd.write(path, {"order.memory": flagd.Flag({"all": 1e12}, "all")})
    assert Switches("order", [path]).value(catalog.MEMORY) == catalog.MEMORY.most


@pytest.mark.parametrize(
    ("fault", "text", "value"),
    [
        (catalog.LATENCY, "250ms", 0.25),
        (catalog.LATENCY, "2s", 2.0),
        (catalog.ERRORS, "12.5%", 0.125),
        (catalog.MEMORY, "64MB", 64e6),
        (catalog.FREEZE, "on", 1.0),
    ],
)
def test_values_have_units(fault: Fault, text: str, value: float) -> None:
    assert catalog.parse(fault, text) == value


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("text", ["", "2", "on!", "-1s", "2 s", "1e3s", "99999s", "101%", "999MB", "2h"])
def test_what_is_no_value_is_refused(unit: Unit, text: str) -> None:
    for fault in catalog.of("order"):
        if fault.unit is unit:
            with pytest.raises(SettingsError):
                catalog.parse(fault, text)


@pytest.mark.parametrize("name", ["latency", "nobody.latency", "order.flood", "gateway.freeze", "payment.append-drop"])
def test_what_is_no_switch_is_refused(name: str) -> None:
    with pytest.raises(SettingsError):
        catalog.find(name)
