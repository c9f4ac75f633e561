"""Wires the registry."""

import time

from common.health import Health
from common.runtime import Process
from registry import api
from registry.leases import Leases
from registry.settings import Settings
from registry.watching import Watching


def build(settings: Settings) -> Process:
    watching = Watching(Leases(), settings.registry_learning_ms / 1000, time.monotonic)
    app = api.build(watching)
    return Process("registry", Health(), api=app, background=(watching.start,), drain=(watching.stop,))
