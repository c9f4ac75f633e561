"""`orderly verify`: do the laws hold?"""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from laws import EXIT, Verdict, overall, report
from orderly import verification
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import say, show_json, table

MARKS = {"holds": "[green]✓[/] holds", "broken": "[bold red]✗ broken[/]", "unknown": "[yellow]?[/] unknown"}
ENDS = {
    "holds": "[green]✓[/] all laws hold",
    "broken": "[bold red]✗ broken[/]: look at the first counterexample",
    "unknown": "[yellow]?[/] nothing is broken, and something is still under way: ask again",
}


def verify(
    data: Data = None,
    patience: Annotated[
        float, typer.Option("--patience", min=0, help="Seconds for orders in flight to settle, while it runs.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """Check all laws on the log, the read models, the provider's ledger and the journals of the clients.

    Exit code 0: they hold, 1: one is broken, 2: unknown.
    """
    verdicts = verification.verify(Folder.at(data), patience)
    if as_json:
        show_json(report(verdicts))
    else:
        _draw(verdicts)
    raise typer.Exit(EXIT[overall(verdicts)])


def _draw(verdicts: Sequence[Verdict]) -> None:
    rows = [
        (it.id, escape(it.law), MARKS[it.verdict], f"{it.checked:,}", str(it.broken or ""), escape(it.first or ""))
        for it in verdicts
    ]
    columns = ("", "law", "verdict", "checked", "broken", "first counterexample")
    shown = columns if any(it.first for it in verdicts) else columns[:-1]
    table("", *shown, rows=[row[: len(shown)] for row in rows], right=("checked", "broken"))
    say(f"\n{ENDS[overall(verdicts)]}")
