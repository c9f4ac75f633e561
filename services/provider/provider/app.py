"""Wires the simulated provider."""

from common import faults
from common.clock import system_clock
from common.health import Health
from common.runtime import Process
from common.security import gate
from common.security.credentials import Credentials
from common.topology import PROVIDER
from provider import api, ledger
from provider.counter import Counter
from provider.journal import Journal
from provider.settings import Settings


def build(settings: Settings) -> Process:
    credentials = Credentials.of(PROVIDER, settings.certificates)
    journal = Journal(ledger.path(settings.data), ledger.SCHEMA)
    switches = faults.switches_of(PROVIDER, settings.data, settings)
    counter = Counter(journal, settings, system_clock)
    served = gate.enforce(api.build(counter), credentials)
    context, close = credentials.server(), (journal.close,)
    return Process(PROVIDER, Health(), credentials, served, context, close=close, switches=switches)
