"""Faults on purpose: switches that make one service slow, wrong, forgetful or busy while it runs, and show that the laws hold.

    catalog      which faults there are, their units and bounds
    flagd        the switches' values, from files in flagd's format (OpenFeature)
    switches     asks for a value, draws the chance, logs and counts each hit
    serving      HTTP, the side that serves        } the places where a fault can strike:
    calling      HTTP, the side that asks          } one wrapper each, put there by the wiring,
    eventlog     consuming and producing           } and only where switches are enabled
    burden       CPU and memory of the process     }

Where they are not enabled (ORDERLY_FAULTS, off by default) nothing of this is imported and no call is wrapped.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.eventlog import EventLog
from common.settings import Listening

if TYPE_CHECKING:
    from aiohttp import ClientMiddlewareType

    from common.faults.switches import Switches

OVERRIDES = "faults.json"  # in the data folder: what was set while it runs


def switches_of(service: str, data: Path, settings: Listening) -> "Switches | None":
    """Those of one service; None where the settings do not enable them."""
    if not settings.faults:
        return None
    from common.faults.switches import Switches

    files = ([settings.faults_file] if settings.faults_file else []) + [data / OVERRIDES]
    return Switches(service, files)


def around(log: EventLog, switches: "Switches | None") -> EventLog:
    """The log as this process is to see it."""
    if switches is None:
        return log
    from common.faults.eventlog import FaultyLog

    return FaultyLog(log, switches)


def calls(switches: "Switches | None") -> "Sequence[ClientMiddlewareType]":
    """The middlewares of a client's session."""
    if switches is None:
        return ()
    from common.faults.calling import faulty_client

    return (faulty_client(switches),)
