"""`orderly keys rotate`: the master key that wraps the customers' keys."""

import typer

from orderly import evidence, vaults
from orderly.folder import Folder
from orderly.options import Data
from orderly.output import say

app = typer.Typer(help="The master key, which wraps the customers' keys.", no_args_is_help=True, add_completion=False)


@app.callback()
def keys() -> None:
    """A group, although it has one command."""


@app.command()
def rotate(data: Data = None) -> None:
    """Wrap every customer's key by a new master key, and forget the former; running services see nothing of it."""
    folder = Folder.at(data)
    with vaults.of(folder) as vault:
        count = vault.rotate()
    evidence.act(folder, "rotated the master key")
    say(f"[green]✓[/] a new master key; {count:,} customers' keys are wrapped by it")
