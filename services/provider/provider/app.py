"""Wires the simulated provider."""

from common import faults
from common.clock import system_clock
from common.health import Health
from common.runtime import Process
from common.topology import PROVIDER
from provider import api, ledger
from provider.counter import Counter
from provider.journal import Journal
from provider.settings import Settings


def build(settings: Settings) -> Process:
    journal = Journal(ledger.path(settings.data), ledger.SCHEMA)
    switches = faults.switches_of(PROVIDER, settings.data, settings)
    counter = Counter(journal, settings, system_clock)
    return Process(PROVIDER, Health(), api=api.build(counter), close=(journal.close,), switches=switches)
