"""A running platform under a gentle load, with an auditor and a Prometheus that scrapes them all."""

import asyncio
import itertools
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from system import System
from target import Client

from deploy.observability import auditor, prometheus
from deploy.observability.__main__ import FILES, ROOT
from deploy.observability.prometheus import Prometheus
from deploy.observability.rules import alerts, rule, slos
from deploy.observability.rules.rule import Alert, Group
from orderly import runfile
from orderly.folder import Folder

SCALE = 1 / 60  # of the times of a second set of rules: an hour is a minute
QUICK = {"pace": "quick"}  # the labels of their alerts
RATE = 4.0  # orders a second
SKUS = ("tea", "pot")


@dataclass
class Observed:
    system: System
    prometheus: Prometheus
    began: float = field(default_factory=time.time)

    @property
    def folder(self) -> Folder:
        return Folder.at(self.system.data)

    def numbers(self, expr: str) -> list[float]:
        """What a dashboard's expression gives now, without NaN."""
        filled = expr.replace("$__rate_interval", "15s").replace("$__range", "2m")
        return [value for _, value in self.prometheus.query(filled) if value == value]

    def fires(self, name: str, pace: Mapping[str, str] = QUICK) -> bool:
        return any(
            it["labels"]["alertname"] == name and it["state"] == "firing" and pace.items() <= it["labels"].items()
            for it in self.alerts()
        )

    def send(self, name: str, number: signal.Signals) -> None:
        """To the process of this name."""
        run = runfile.read(self.folder)
        process = run.service(name).process if run is not None else None
        assert process is not None, f"{name} is down"
        process.send(number)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        self.send(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(name, signal.SIGCONT)

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.prometheus.ask("alerts")["alerts"]
        return found


@contextmanager
def observed(system: System, folder: Path) -> Iterator[Observed]:
    """Nothing of it is left when the block is."""
    run = runfile.read(Folder.at(system.data))
    assert run is not None
    rules = [*sorted((ROOT / FILES / "rules").glob("*.yaml")), _quick(folder / "quick.yaml")]
    with auditor.running(folder, Folder.at(system.data), every=5) as audited:
        targets = [*prometheus.targets_of(run), audited]
        with prometheus.running(folder, targets, rules, "1s") as found, _loaded(system):
            yield Observed(system, found)


def _quick(path: Path) -> Path:
    groups = [
        Group(group.name, [_marked(it) if isinstance(it, Alert) else it for it in group.rules])
        for group in (*slos.groups(SCALE), *alerts.groups(SCALE))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rule.render(groups))
    return path


def _marked(alert: Alert) -> Alert:
    return replace(alert, labels={**alert.labels, **QUICK})


@contextmanager
def _loaded(system: System) -> Iterator[None]:
    """In a thread of its own; whatever is answered is fine."""
    stop = threading.Event()
    load = threading.Thread(target=lambda: asyncio.run(_load(system, stop)), name="load")
    load.start()
    try:
        yield
    finally:
        stop.set()
        load.join(60)
    assert not load.is_alive()


async def _load(system: System, stop: threading.Event) -> None:
    for sku in SKUS:
        await system.stock(sku, 1_000_000)
    await system.stock("none", 0)
    async with system.client("alice") as alice:
        lives: set[asyncio.Task[None]] = set()
        for number in itertools.count():
            if stop.is_set():
                break
            life = asyncio.create_task(_live(alice, number))
            lives.add(life)
            life.add_done_callback(lives.discard)
            await asyncio.sleep(1 / RATE)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)


async def _live(alice: Client, number: int) -> None:
    """An order, a look at the catalog, and now and then something that is refused."""
    sku = "none" if number % 10 == 9 else SKUS[number % 2]
    card = "tok_declined" if number % 10 == 5 else "tok_ok"
    with suppress(TimeoutError):
        placed = await alice.place([(sku, 1)], card)
        await alice.call("GET", f"/v1/products/{SKUS[number % 2]}")
        if number % 4 == 0:
            await alice.call("GET", f"/v1/nowhere/{number}")
            await alice.call("GET", "/v1/products", headers={"Authorization": f"Bearer nobody-{number}"})
        await alice.final(placed["order_id"])
