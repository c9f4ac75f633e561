"""`orderly customer erase`: the right to be forgotten (GDPR, article 17)."""

from typing import Annotated

import typer
from rich.markup import escape

from orderly import evidence, vaults
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data
from orderly.output import say

app = typer.Typer(help="What is kept of a customer.", no_args_is_help=True, add_completion=False)


@app.callback()
def customer() -> None:
    """A group, although it has one command."""


@app.command()
def erase(
    name: Annotated[str, typer.Argument(metavar="CUSTOMER", help="As in the token's `sub`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Delete the customer's key: names, e-mails, addresses and card tokens of all their orders can be read by nobody any more.

    The orders themselves stay, and so do the laws. There is no way back.
    """
    if not yes:
        typer.confirm(f"Erase what is personal of {name}, for good?", abort=True)
    folder = Folder.at(data)
    with vaults.of(folder) as vault:
        if not vault.erase(name):
            raise Failure(f"there is nothing personal of {name!r}, or it was erased before")
    evidence.act(folder, f"erased {name}")
    say(f"[green]✓[/] {escape(name)}: what was personal is erased")
