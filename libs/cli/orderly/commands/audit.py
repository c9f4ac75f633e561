"""`orderly audit`: do the laws hold, all the time? Start it as often as you like: one audits, the others stand by.

`orderly audit list` tells who did what, and `orderly audit verify` whether anybody has tampered with that.
"""

import asyncio
import contextlib
import json
from collections import deque
from typing import Annotated, Any

import msgspec
import prometheus_client
import typer
from rich.markup import escape

from common import leader
from common.errors import OrderlyError
from laws import EXIT, overall
from orderly import evidence, records
from orderly.anchors import Anchors
from orderly.auditing import Auditor
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.interrupts import as_keyboard_interrupt
from orderly.options import Data, Json
from orderly.output import say, show_json, table
from orderly.sockets import LOOPBACK

MARKS = {"holds": "[green]✓[/]", "broken": "[bold red]✗[/]", "unknown": "[yellow]?[/]"}

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two audits.")] = 30,
    lease: Annotated[int, typer.Option("--lease", min=1, help="Seconds after which another takes over.")] = 10,
    times: Annotated[int | None, typer.Option("--times", min=1, help="So many audits. Default: until Ctrl-C.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", help="Tell Prometheus what was found, at this port.")
    ] = None,
    metrics_host: Annotated[str, typer.Option("--metrics-host", help="And at this address.")] = LOOPBACK,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Check all laws again and again, one auditor at a time; when it dies another one takes over.

    Exit code, with --times: that of `orderly verify` for the last audit.
    """
    if context.invoked_subcommand is not None:
        return
    folder = Folder.at(data)
    folder.make()
    if metrics_port is not None:
        _tell_prometheus(metrics_host, metrics_port)
    auditor = Auditor(folder, leader.lease("auditor", folder.root), lease, every, _plain if as_json else _spoken)
    with contextlib.suppress(KeyboardInterrupt), as_keyboard_interrupt():
        verdicts = asyncio.run(auditor.run(times))
        raise typer.Exit(EXIT[overall(verdicts)])


@app.command()
def verify(
    anchor: Annotated[str, typer.Option("--anchor", help="One that was said before, and kept elsewhere.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Is the evidence what it was when it was anchored? Exit code 1: somebody changed, removed, moved or cut off something."""
    folder = Folder.at(data)
    try:
        with records.log_of(folder) as log:
            report = Anchors.of(folder).check(evidence.streams(log, folder.acts), anchor)
    except (OrderlyError, OSError) as error:
        raise Failure(str(error)) from None
    if as_json:
        show_json(msgspec.to_builtins(report))
    else:
        for sentence in report.broken:
            say(f"{MARKS['broken']} {escape(sentence)}")
        mark = MARKS["broken" if report.broken else "holds"]
        say(f"{mark} {report.covered:,} items under {report.anchors:,} anchors, {report.uncovered:,} since the last")
        say(f"  [dim]keep it elsewhere, and ask for it:[/] --anchor {report.last}")
    raise typer.Exit(bool(report.broken))


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1)] = 20,
    denied: Annotated[bool, typer.Option("--denied", help="Only what was refused, and what was done to keys.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Who did what, the latest last: every state change, every denied decision."""
    folder = Folder.at(data)
    with records.log_of(folder) as log:
        found = deque(evidence.told(log, folder.acts, changes=not denied), maxlen=limit)
    if as_json:
        show_json({"items": list(found)})
        return
    rows = [(it["at"], it["kind"], escape(it["who"]), escape(it["what"]), escape(it["about"])) for it in found]
    table("", "at", "kind", "who", "what", "about", rows=rows)


def _tell_prometheus(host: str, port: int) -> None:
    try:
        prometheus_client.start_http_server(port, host)
    except OSError as error:
        raise Failure(f"--metrics-port {port}: {error.strerror}", "choose another port") from None


def _plain(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


def _spoken(said: dict[str, Any]) -> None:
    if "verdict" in said:
        broken = [f"{it['id']}: {it['first']}" for it in said["laws"] if it["verdict"] == "broken"]
        checked = sum(it["checked"] for it in said["laws"])
        say(f"{MARKS[said['verdict']]} {said['at']} {said['verdict']}, {checked:,} checked {escape('; '.join(broken))}")
    elif complaint := said.get("fenced") or said.get("unread"):
        say(f"[yellow]![/] {escape(complaint)}")
    elif said["token"] is not None:
        say(f"[bold]this is the auditor[/], number {said['token']}")
    else:
        say(f"standing by: {escape(said['leader'] or 'nobody')} audits")
