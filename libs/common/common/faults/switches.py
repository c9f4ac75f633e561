"""The switches of one service: what each is set to, whether it strikes now, and a line and a count for each time it did."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from openfeature import api

from common.faults.catalog import Fault, of
from common.faults.flagd import FlagdProvider
from common.telemetry.metrics import FAULT_HITS

_log = structlog.get_logger("faults")


class Switches:
    """May be used from any thread. A switch that is not set costs a dictionary look-up."""

    def __init__(self, service: str, files: Sequence[Path], chance: Callable[[], float] = random.random) -> None:
        self.service = service
        self._provider = FlagdProvider(files)
        api.set_provider(self._provider, f"faults.{service}")
        self._client = api.get_client(f"faults.{service}")
        self._chance = chance
        for fault in of(service):
            FAULT_HITS.labels(f"{service}.{fault.name}")  # a series that begins with its first event has no increase

    def value(self, fault: Fault) -> float:
        """In the fault's unit; 0 when it is not set. Never more than the catalog allows, whatever a file says."""
        name = f"{self.service}.{fault.name}"
        flag = self._provider.flags().get(name)
        if flag is None or not flag.on(time.time()):
            return 0.0
        return min(fault.most, self._client.get_float_value(name, 0.0))

    def amount(self, fault: Fault) -> float:
        """The value, about to be used: a value that is set is a hit."""
        if value := self.value(fault):
            self._hit(fault, value)
        return value

    def strikes(self, fault: Fault) -> bool:
        """Whether this one is among the share that the switch is set to."""
        share = self.value(fault)
        if share and self._chance() < share:
            self._hit(fault, share)
            return True
        return False

    def _hit(self, fault: Fault, value: float) -> None:
        FAULT_HITS.labels(f"{self.service}.{fault.name}").inc()
        _log.info("fault", switch=f"{self.service}.{fault.name}", value=value)
