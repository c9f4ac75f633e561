"""`orderly dead-letters list|show|redrive`: what could not be handled, and the way back."""

from typing import Annotated

import typer
from rich.markup import escape

from common.clock import rfc3339
from orderly import dead_letters, records
from orderly.dead_letters import DeadLetter
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import say, show_json, table

app = typer.Typer(help="Messages that could not be handled.", no_args_is_help=True, add_completion=False)

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="order, payment or inventory.")]


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Argument(metavar="SERVICE", help="Default: all.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List dead letters with their reasons."""
    with records.log_of(Folder.at(data)) as log:
        found = list(dead_letters.find_all(log, service))
    if as_json:
        show_json({"items": [_as_json(it) for it in found]})
        return
    if not found:
        say("[green]✓[/] no dead letters")
        return
    rows = [
        (
            it.service,
            it.position,
            rfc3339(it.record.at),
            escape(it.record.headers.get("type", "?")),
            escape(it.record.key),
            "[green]redriven[/]" if it.redriven else "[red]dead[/]",
            escape(it.reason),
        )
        for it in found
    ]
    table("", "service", "position", "at", "type", "key", "", "reason", rows=rows)


@app.command()
def show(
    service: Service,
    position: Annotated[str, typer.Argument(metavar="POSITION", help="As listed: PARTITION@OFFSET.")],
    data: Data = None,
) -> None:
    """Show one dead letter, whole, as JSON."""
    with records.log_of(Folder.at(data)) as log:
        show_json(_as_json(dead_letters.find(log, service, position)))


@app.command()
def redrive(
    service: Service,
    position: Annotated[str | None, typer.Argument(metavar="POSITION", help="As listed: PARTITION@OFFSET.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not sent back yet.")] = False,
    data: Data = None,
) -> None:
    """Send a dead letter back to where it came from, after its cause was mended."""
    if (position is None) == (not everything):
        raise Failure("say which: one POSITION, or --all", f"look at: orderly dead-letters list {service}")
    with records.log_of(Folder.at(data)) as log:
        if position is not None:
            chosen = [dead_letters.find(log, service, position)]
        else:
            chosen = [it for it in dead_letters.find_all(log, service) if it.target and not it.redriven]
        for letter in chosen:
            to = dead_letters.redrive(log, letter)
            say(f"[green]✓[/] {letter.position} → {to.topic}/{to.partition}@{to.offset}")
    if not chosen:
        say("nothing to send back")


def _as_json(letter: DeadLetter) -> dict[str, object]:
    return {
        "service": letter.service,
        "position": letter.position,
        "reason": letter.reason,
        "redriven": letter.redriven,
        "record": records.as_json(letter.record),
    }
