"""Wires the registry."""

import time

from common.health import Health
from common.runtime import Process
from common.security import gate
from common.security.credentials import Credentials
from common.topology import REGISTRY
from registry import api
from registry.leases import Leases
from registry.settings import Settings
from registry.watching import Watching


def build(settings: Settings) -> Process:
    watching = Watching(Leases(), settings.registry_learning_ms / 1000, time.monotonic)
    credentials = Credentials.of(REGISTRY, settings.certificates)
    served, context = gate.enforce(api.build(watching), credentials), credentials.server()
    return Process(REGISTRY, Health(), credentials, served, context, (), (watching.start,), (watching.stop,))
