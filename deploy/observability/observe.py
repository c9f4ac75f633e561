"""`make observe`: a platform, a real Prometheus, a real Jaeger and a load on them, until Ctrl-C, which stops it all.

A platform that runs already is looked at, and left running; its services send to Jaeger what they were started to send.
"""

import argparse
import itertools
import os
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from rich.markup import escape

from deploy.observability import auditor, jaeger_server, prometheus
from deploy.observability.jaeger_server import OwnJaeger
from orderly import catalog, foreground
from orderly.api import Api, Refused, Unanswered
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.interrupts import as_keyboard_interrupt
from orderly.journaled import Client, journal_of
from orderly.output import command, say, show_failure
from orderly.runfile import Run
from orderly.shape import Shape

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
RULES = Path(__file__).parents[1] / "helm" / "orderly" / "files" / "rules"
SCRAPE_EVERY = 2  # seconds
CARDS = ("tok_ok",) * 7 + ("tok_declined", "tok_error", "tok_lost")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make observe", description=__doc__)
    parser.add_argument("--engine", default="", help="of the platform, if it does not run yet")
    parser.add_argument("--data", type=Path, help="its data folder")
    parser.add_argument("--rate", type=float, default=5.0, help="orders a second; 0: none")
    parser.add_argument("--seconds", type=float, help="end by itself after so long")
    given = parser.parse_args()
    try:
        observe(Folder.at(given.data, given.engine), given.engine, given.rate, given.seconds)
    except Failure as failure:
        show_failure(failure)
        return failure.code
    return 0


def observe(folder: Folder, engine: str, rate: float, seconds: float | None) -> None:
    home = folder.root / "observe"
    with as_keyboard_interrupt(), ExitStack() as stack:
        try:
            jaeger = _jaeger(stack, home)
            launch = stack.enter_context(foreground.platform(folder, Shape(engine)))
            run = launch.run
            audited = stack.enter_context(auditor.running(home, folder))
            targets, rules = [*prometheus.targets_of(run), audited], sorted(RULES.glob("*.yaml"))
            metrics = stack.enter_context(prometheus.running(home / "prometheus", targets, rules, f"{SCRAPE_EVERY}s"))
            stack.enter_context(_load(folder, run, rate))
            _tell(folder, run, jaeger, metrics.url, rate)
            threading.Event().wait(seconds)
        except KeyboardInterrupt:
            say()


def _jaeger(stack: ExitStack, home: Path) -> OwnJaeger | None:
    """Without it there is still all the rest."""
    try:
        jaeger = stack.enter_context(jaeger_server.running(home, say))
    except Failure as failure:
        say(f"[yellow]no Jaeger:[/] {escape(failure.what)}; {escape(failure.advice)}")
        return None
    os.environ[ENDPOINT] = jaeger.otlp
    return jaeger


def _tell(folder: Folder, run: Run, jaeger: OwnJaeger | None, metrics: str, rate: float) -> None:
    say(f"\n  [bold]Prometheus[/]  {metrics}  [dim]every process, every {SCRAPE_EVERY} s; alerts: {metrics}/alerts[/]")
    if jaeger is not None:
        say(f"  [bold]Jaeger[/]      {jaeger.url}  [dim]query API: {jaeger.url}/api/traces?service=order[/]")
        if not _sends(run, jaeger):
            say(
                "              [yellow]but the platform ran before it; to have it send:[/] orderly down, then make observe"
            )
    say(f"  [bold]Platform[/]    {run.base_url}  [dim]{rate:g} orders a second, some of them undone[/]\n")
    say(f"  {command('order list --as customer-observe', folder)}")
    say(f"  {command('trace ord_…', folder)}")
    say(f"  {command('logs --follow', folder)}")
    say("\n[bold]Ctrl-C stops it all.[/]")


def _sends(run: Run, jaeger: OwnJaeger) -> bool:
    gateway = run.service("gateway").process
    try:
        return gateway is not None and psutil.Process(gateway.pid).environ().get(ENDPOINT) == jaeger.otlp
    except psutil.Error:
        return False


@contextmanager
def _load(folder: Folder, run: Run, rate: float) -> Iterator[None]:
    """Orders as they come in a shop: most of them good, none waited for."""
    stop = threading.Event()

    def place() -> None:
        catalog.stock_up(Api(run.base_url, "operator"))
        api = Api(run.base_url, "customer-observe")
        with journal_of(folder) as journal:
            client = Client(api, journal)
            for number, card in zip(itertools.count(), itertools.cycle(CARDS), strict=False):
                if stop.wait(1 / rate):
                    return
                if number % 50 == 49:
                    catalog.stock_up(Api(run.base_url, "operator"))
                body = {"lines": [{"sku": "tea", "quantity": 1}], "payment_token": card}
                try:
                    client.place(body, key=str(uuid.uuid4()))
                except (Refused, Unanswered, Failure):
                    continue  # somebody is breaking it, which is what it is there for

    worker = threading.Thread(target=place, name="load", daemon=True)
    if rate > 0:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        if rate > 0:
            worker.join(10)


if __name__ == "__main__":
    sys.exit(main())
