"""`orderly state ORDER --at TIME` and `orderly replay SERVICE`: the log is the truth, everything else a fold of it."""

import subprocess
import sys
from typing import Annotated

import typer
from rich.markup import escape

from common.clock import rfc3339
from common.topology import PROCESSING_SERVICES
from orderly import fleet, keeping, money, records, time_travel
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import say, show_json
from orderly.shape import START_ORDER
from orderly.time_travel import Moment


def state(
    order_id: Annotated[str, typer.Argument(metavar="ORDER")],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="RFC 3339, +120ms after the start, or now.")] = "now",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show an order as it was at a moment: the fold of its events up to there."""
    with records.log_of(Folder.at(data)) as log:
        history = time_travel.history_of(log, order_id)
    placed = history[0][0]
    moment = time_travel.fold(order_id, history, time_travel.parse_time(at, placed))
    if as_json:
        show_json(_as_json(moment))
    elif moment.version == 0:
        say(f"it did not exist then; it was placed at {rfc3339(placed)}")
    else:
        _draw(moment, placed)


def _as_json(moment: Moment) -> dict[str, object]:
    return {
        "order_id": moment.order_id,
        "status": moment.status if moment.version else None,
        "reason": moment.reason,
        "version": moment.version,
        "payment": moment.payment,
        "total": moment.total,
        "lines": [{"sku": it.sku, "quantity": it.quantity, "stock": it.stock} for it in moment.lines.values()],
        "events": [{"at": rfc3339(when), "type": name} for when, name in moment.history],
    }


def _draw(moment: Moment, placed: int) -> None:
    reason = f": {escape(moment.reason)}" if moment.reason else ""
    say(f"[bold]{moment.status}[/]{reason} [dim]{moment.order_id} version {moment.version}[/]")
    for line in moment.lines.values():
        say(f"  {line.quantity:>4} × {escape(line.sku):<24} [dim]stock[/]   {line.stock}")
    total = money.shown(moment.total) if moment.total else ""
    say(f"  {total:>31} [dim]payment[/] {moment.payment}\n")
    for when, name in moment.history:
        say(f"  [dim]{when - placed:>+8} ms[/]  {escape(name)}")


def replay(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="order, payment or inventory.")],
    switch: Annotated[bool, typer.Option("--switch", help="Put the rebuilt one in the place of the live one.")] = False,
    data: Data = None,
) -> None:
    """Rebuild a read model from the first event beside the live one, and compare. Exit code 1: they differ."""
    if service not in PROCESSING_SERVICES:
        raise Failure(f"{service!r} has no read model", f"there are: {', '.join(PROCESSING_SERVICES)}")
    folder = Folder.at(data)
    with records.log_of(folder):
        pass  # only to say so where there is none
    nobody = dict.fromkeys(START_ORDER, "http://127.0.0.1:0")  # a rebuild asks the log alone
    command = [sys.executable, "-P", "-m", service, "replay", *(["--switch"] if switch else [])]
    told = fleet.environment(folder, nobody, keeping.engine_of(folder), keeping.servers_of(folder), service)
    raise typer.Exit(subprocess.run(command, env=told, check=False).returncode)
