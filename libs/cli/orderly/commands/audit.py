"""`orderly audit`: do the laws hold, all the time? Start it as often as you like: one audits, the others stand by."""

import asyncio
import contextlib
import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from common import leader
from laws import EXIT, overall
from orderly.auditing import Auditor
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import say

MARKS = {"holds": "[green]✓[/]", "broken": "[bold red]✗[/]", "unknown": "[yellow]?[/]"}


def audit(
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two audits.")] = 30,
    lease: Annotated[int, typer.Option("--lease", min=1, help="Seconds after which another takes over.")] = 10,
    times: Annotated[int | None, typer.Option("--times", min=1, help="So many audits. Default: until Ctrl-C.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Check all laws again and again, one auditor at a time; when it dies another one takes over.

    Exit code, with --times: that of `orderly verify` for the last audit.
    """
    folder = Folder.at(data)
    folder.make()
    auditor = Auditor(folder, leader.lease("auditor", folder.root), lease, every, _plain if as_json else _spoken)
    with contextlib.suppress(KeyboardInterrupt):
        verdicts = asyncio.run(auditor.run(times))
        raise typer.Exit(EXIT[overall(verdicts)])


def _plain(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


def _spoken(said: dict[str, Any]) -> None:
    if "verdict" in said:
        broken = [f"{it['id']}: {it['first']}" for it in said["laws"] if it["verdict"] == "broken"]
        checked = sum(it["checked"] for it in said["laws"])
        say(f"{MARKS[said['verdict']]} {said['at']} {said['verdict']}, {checked:,} checked {escape('; '.join(broken))}")
    elif "fenced" in said:
        say(f"[yellow]![/] {escape(said['fenced'])}")
    elif said["token"] is not None:
        say(f"[bold]this is the auditor[/], number {said['token']}")
    else:
        say(f"standing by: {escape(said['leader'] or 'nobody')} audits")
