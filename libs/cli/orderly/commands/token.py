"""`orderly token`: for curl, and for scripts."""

from typing import Annotated

import typer

from orderly.api import Api
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data
from orderly.output import say


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="alice, bob, operator, auditor, customer-…")] = "",
    with_browser: Annotated[
        bool, typer.Option("--login", help="Of whoever logs in, with a browser, at the demo issuer's page.")
    ] = False,
    revoke: Annotated[
        str, typer.Option("--revoke", metavar="TOKEN", help="Make this one count no more, as the operator.")
    ] = "",
    data: Data = None,
) -> None:
    """Print an access token, and nothing else."""
    if sum(map(bool, (name, with_browser, revoke))) != 1:
        raise Failure("whose token?", "orderly token NAME, or --login, or --revoke TOKEN")
    folder = Folder.at(data)
    if revoke:
        Api.of(folder, "operator").revoke(revoke)
        say("[green]✓[/] revoked; within seconds every gateway refuses it")
    elif with_browser:
        from orderly import login  # only now: it brings a web server along

        print(login.token(Api.of(folder, "")))
    else:
        print(Api.of(folder, name).token())
