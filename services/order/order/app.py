"""Wires the order service: the one place that knows which adapter stands behind which port."""

from fastapi import FastAPI

from common import engine, faults, replay
from common.clock import SECOND
from common.contracts.order import Patience
from common.http_client import Upstream
from common.resilience.policy import Policy
from common.runtime import Process
from common.security.vault import Vault
from common.sender import Sender
from common.service import Platform, assemble
from common.topology import INVENTORY
from order import api
from order.catalog import Catalog
from order.handlers import behaviour
from order.placing import Placing
from order.projection import OrderProjection
from order.queries import Queries
from order.settings import Settings
from order.watching import Sagas


def build(settings: Settings) -> Process:
    platform = Platform.open("order", settings)
    policy = Policy(zone=settings.zone).but(settings.inventory_policy)
    calls = faults.calls(platform.switches)
    inventory = Upstream(INVENTORY, settings.inventory_url, policy, calls, platform.credentials)
    vault = Vault.of(settings)

    def serve() -> FastAPI:
        view = platform.view()
        queries = Queries(view, platform.log)
        sender = Sender("order", platform.log, platform.clock)
        most = settings.open_orders if settings.rate_limit else 0
        placing = Placing(
            queries,
            Catalog(view, inventory),
            sender,
            vault,
            platform.clock,
            alone=settings.api_replicas == 1,
            open_orders=most,
        )
        return api.build(placing, queries, vault)

    patience = Patience(settings.reserve_seconds * SECOND, settings.authorize_seconds * SECOND)
    process = assemble(
        platform, api=serve, behaviour=behaviour(patience), projection=OrderProjection(), watcher=Sagas()
    )
    process.drain, process.close = (inventory.close,), (*process.close, vault.close)
    return process


def rebuild(settings: Settings, switch: bool) -> int:
    """Fold the read model anew, from the first event."""
    return replay.run("order", OrderProjection(), engine.of(settings), switch=switch)
