"""`orderly log read`: the truth, record by record."""

import json
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.markup import escape

from common.clock import rfc3339
from common.eventlog import Stored
from orderly import records
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import say

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def log() -> None:
    """The log: commands, events, checkpoints, dead letters."""


@app.command("read")
def read_(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="For example order.events or inventory.commands.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    start: Annotated[int, typer.Option("--from", metavar="OFFSET", min=0, help="In each partition.")] = 0,
    partition: Annotated[int | None, typer.Option("--partition", min=0, help="Only this one.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only this aggregate: an order id or a SKU.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print a topic's records in the order of time."""
    with records.log_of(Folder.at(data)) as opened:
        records.check_topic(opened, topic)
        ends = {(topic, it): end for it, end in opened.end_offsets(topic).items() if partition in (None, it)}
        _print(records.read(opened, topic, partition=partition, start=start), key, as_json)
        if follow:
            try:
                _print(records.follow(opened, {place: max(start, end) for place, end in ends.items()}), key, as_json)
            except KeyboardInterrupt:
                return


def _print(found: Iterable[Stored], key: str | None, as_json: bool) -> None:
    for record in found:
        if key in (None, record.key):
            if as_json:
                print(json.dumps(records.as_json(record)), flush=True)
            else:
                _draw(record)


def _draw(record: Stored) -> None:
    """One line to find it by, and what it says beneath."""
    shown = records.as_json(record)
    name = record.headers.get("type", "tombstone" if record.value is None else "?")
    say(f"[dim]{rfc3339(record.at)}[/] [bold]{escape(name)}[/] {escape(record.key)} [dim]{records.at_place(record)}[/]")
    if record.value is not None:
        say(f"  [dim]{escape(json.dumps(shown['value'], ensure_ascii=False))}[/]")
