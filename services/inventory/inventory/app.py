"""Wires the inventory service: the one place that knows which adapter stands behind which port."""

from fastapi import FastAPI

from common import engine, replay
from common.runtime import Process
from common.sender import Sender
from common.service import Platform, assemble
from inventory import api
from inventory.changes import Changes
from inventory.handlers import BEHAVIOUR
from inventory.projection import ProductProjection
from inventory.queries import Queries
from inventory.settings import Settings
from inventory.stocking import Stocking


def build(settings: Settings) -> Process:
    platform = Platform.open("inventory", settings)

    def serve() -> FastAPI:
        view = platform.view()
        queries = Queries(view, platform.log)
        stocking = Stocking(queries, Sender("inventory", platform.log, platform.clock))
        return api.build(stocking, queries, Changes(platform.log, view))

    return assemble(platform, api=serve, behaviour=BEHAVIOUR, projection=ProductProjection())


def rebuild(settings: Settings, switch: bool) -> int:
    """Fold the read model anew, from the first event."""
    return replay.run("inventory", ProductProjection(), engine.of(settings), switch=switch)
