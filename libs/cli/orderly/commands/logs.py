"""`orderly logs`: what all services said, together."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from orderly import loglines
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.loglines import LEVELS, Line, Wanted
from orderly.options import Data, Json
from orderly.output import say
from orderly.waterfall import COLOURS

STYLES = {"debug": "dim", "warning": "yellow", "error": "bold red", "critical": "bold red"}
HIDDEN = {"service", "level", "at", "event", "order_id", "trace_id", "span_id", "exception"}  # --json shows them


def logs(
    order: Annotated[str, typer.Option("--order", metavar="ORDER", help="Only what is about this order.")] = "",
    service: Annotated[
        list[str] | None, typer.Option("--service", metavar="NAME", help="Only this one. Repeatable.")
    ] = None,
    level: Annotated[str, typer.Option("--level", metavar="|".join(LEVELS), help="This one and worse.")] = "debug",
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="At most so many lines; 0: all.")] = 200,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print the log lines of all services in the order of time.

    ORDERLY_LOG_LEVEL=debug, when the platform is started, makes them say more: every decision, every request.
    """
    if level not in LEVELS:
        raise Failure(f"--level {level}: there is no such level", f"there are: {', '.join(LEVELS)}")
    folder, wanted = Folder.at(data), Wanted(order, service or (), level)
    found = loglines.read(folder, wanted)
    if not found and not follow:
        raise Failure(f"no line {f'about {order} ' if order else ''}in {folder.logs}", "orderly status tells what runs")
    for line in found[-last:]:
        _print(line, as_json)
    if follow:
        try:
            for line in loglines.follow(folder, wanted):
                _print(line, as_json)
        except KeyboardInterrupt:
            return


def _print(line: Line, as_json: bool) -> None:
    if as_json:
        print(json.dumps(line), flush=True)
        return
    service, level = str(line.get("service", "")), str(line.get("level", ""))
    fields = " ".join(f"{name}={_plain(value)}" for name, value in line.items() if name not in HIDDEN)
    style = STYLES.get(level, "default")
    at, colour = str(line.get("at", ""))[11:23], COLOURS.get(service, "white")
    event = f"[{style}]{escape(str(line.get('event', '')))}[/]"
    say(f"[dim]{at}[/] [{colour}]{service:<10}[/] [{style}]{level:<7}[/] {event} [dim]{escape(fields)}[/]")
    for text in str(line.get("exception", "")).splitlines():
        say(f"  [dim]│[/] {escape(text)}")


def _plain(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)
