"""Which faults there are: each has a unit, a bound that keeps it from being the end of the machine, and one place."""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import SettingsError
from common.topology import PAYMENT, PROCESSING_SERVICES, SERVICES


class Unit(enum.Enum):
    SECONDS = "250ms, 2s"
    SHARE = "20%"
    BYTES = "64MB"
    SWITCH = "on"


@dataclass(frozen=True, slots=True)
class Fault:
    """`most`: the largest value."""

    name: str
    unit: Unit
    most: float
    meaning: str


LATENCY = Fault("latency", Unit.SECONDS, 20, "requests are served, and commands handled, so much later")
ERRORS = Fault("errors", Unit.SHARE, 1, "so many requests are refused with 503 before anything is done")
DROP = Fault("drop", Unit.SHARE, 1, "so many requests are done, and the answer is lost")
WRONG = Fault("wrong", Unit.SHARE, 1, "so many answers have other digits than they should: a lie, not a failure")
CALL_LATENCY = Fault("call-latency", Unit.SECONDS, 20, "what this service asks of others is asked so much later")
CALL_ERRORS = Fault("call-errors", Unit.SHARE, 1, "so much of what it asks of others never leaves")
CALL_DROP = Fault("call-drop", Unit.SHARE, 1, "so many answers of others are lost on the way back")
FREEZE = Fault("freeze", Unit.SWITCH, 1, "nothing is taken from the log; after its lease another may take over")
REORDER = Fault("reorder", Unit.SWITCH, 1, "a batch comes in another order, except within a partition")
DUPLICATE = Fault("duplicate", Unit.SHARE, 1, "so many commands are written twice")
APPEND_ERRORS = Fault("append-errors", Unit.SHARE, 1, "so many commands are refused by the log, unwritten")
APPEND_DROP = Fault("append-drop", Unit.SHARE, 1, "so many commands are written, and the word of it is lost")
CPU = Fault("cpu", Unit.SHARE, 1, "so much of a core is burned")
MEMORY = Fault("memory", Unit.BYTES, 256e6, "memory grows by 16 MB a second up to so much, until it is cleared")

EVERYWHERE = (LATENCY, ERRORS, DROP, WRONG, CALL_LATENCY, CALL_ERRORS, CALL_DROP, CPU, MEMORY)
CONSUMING = (FREEZE, REORDER)
PRODUCING = (DUPLICATE, APPEND_ERRORS, APPEND_DROP)


def of(service: str) -> Sequence[Fault]:
    """The faults that a service may have: only some read a log, and payment has nothing to append outside of a transaction."""
    if service not in PROCESSING_SERVICES:
        return EVERYWHERE
    return (*EVERYWHERE, *CONSUMING) if service == PAYMENT else (*EVERYWHERE, *CONSUMING, *PRODUCING)


_UNITS = {
    Unit.SECONDS: {"ms": 0.001, "s": 1.0},
    Unit.SHARE: {"%": 0.01},
    Unit.BYTES: {"MB": 1e6},
}
_quantity = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)([a-zA-Z%]{1,2})").fullmatch


def find(switch: str) -> Fault:
    """The fault of `<service>.<fault>`. Raises SettingsError that names what there is instead."""
    service, _, name = switch.partition(".")
    if service not in SERVICES:
        raise SettingsError(f"{switch}: no such service; there are {', '.join(SERVICES)}")
    offered = {it.name: it for it in of(service)}
    if name not in offered:
        raise SettingsError(f"{switch}: {service} has no such fault; it has {', '.join(offered)}")
    return offered[name]


def parse(fault: Fault, text: str) -> float:
    """`2s` as a value of this fault. Raises SettingsError for another unit, and for more than is allowed."""
    if fault.unit is Unit.SWITCH and text == "on":
        return 1.0
    found = _quantity(text)
    factor = _UNITS.get(fault.unit, {}).get(found[2]) if found else None
    if found is None or factor is None:
        raise SettingsError(f"{fault.name}: {text!r} is no value; try {fault.unit.value}")
    value = float(found[1]) * factor
    if value > fault.most:
        raise SettingsError(f"{fault.name}: {text} is more than allowed ({fault.most:g} in all)")
    return value
