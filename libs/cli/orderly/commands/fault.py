"""`orderly fault set|list|clear`: break the running platform on purpose, a little or a lot."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from common.errors import SettingsError
from common.faults import OVERRIDES, catalog, flagd
from common.topology import SERVICES
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import say, show_json, table

app = typer.Typer(help="Faults on purpose, while it runs.", no_args_is_help=True, add_completion=False)

Switch = Annotated[
    str, typer.Argument(metavar="SWITCH", help="payment.latency: a service and a fault; see list --all.")
]


@app.command("set")
def set_(
    switch: Switch,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="250ms, 2s, 20%, 64MB, on")],
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="Seconds; then it clears itself.")] = None,
    data: Data = None,
) -> None:
    """Set a switch, from now on. The service notices within a tenth of a second."""
    folder = Folder.at(data)
    folder.make()
    try:
        number = catalog.parse(catalog.find(switch), value)
        metadata = {} if seconds is None else {"until": time.time() + seconds}
        flag = flagd.Flag({"off": 0.0, value: number}, value, metadata=dict(metadata))
        flagd.write(folder.root / OVERRIDES, {**_set(folder), switch: flag})
    except SettingsError as error:
        raise Failure(str(error), "the faults that there are: orderly fault list --all") from None
    say(f"[green]✓[/] {switch} = {escape(value)}" + (f" for {seconds:g} s" if seconds is not None else ""))


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also those that are not set, with what they do.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show which switches are set."""
    flags = _set(Folder.at(data))
    if as_json:
        show_json({name: flag.default_variant for name, flag in flags.items()})
    elif every:
        rows = [
            (
                f"{service}.{fault.name}",
                _shown(flags, f"{service}.{fault.name}"),
                fault.unit.value,
                escape(fault.meaning),
            )
            for service in SERVICES
            for fault in catalog.of(service)
        ]
        table("", "switch", "set to", "takes", "what happens", rows=rows)
    elif flags:
        table("", "switch", "set to", rows=[(f"[bold]{escape(name)}[/]", _shown(flags, name)) for name in flags])
    else:
        say("no fault is set; see what could be: orderly fault list --all")


@app.command()
def clear(
    switch: Annotated[str | None, typer.Argument(metavar="SWITCH", help="Default: all of them.")] = None,
    data: Data = None,
) -> None:
    """Set a switch back, or all of them."""
    folder = Folder.at(data)
    flags = _set(folder)
    gone = [name for name in flags if switch in (None, name)]
    if gone:
        flagd.write(folder.root / OVERRIDES, {name: flag for name, flag in flags.items() if name not in gone})
    say(f"[green]✓[/] cleared: {escape(', '.join(gone)) or 'nothing was set'}")


def _set(folder: Folder) -> dict[str, flagd.Flag]:
    """Those that are still on: what has ended by itself is forgotten here."""
    now = time.time()
    try:
        return {name: flag for name, flag in flagd.read(folder.root / OVERRIDES).items() if flag.on(now)}
    except SettingsError as error:
        raise Failure(str(error), f"delete it: {folder.root / OVERRIDES}") from None


def _shown(flags: dict[str, flagd.Flag], name: str) -> str:
    return escape(flags[name].default_variant) if name in flags else ""
