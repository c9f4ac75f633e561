"""`orderly token`: for curl, and for scripts."""

from typing import Annotated

import typer

from orderly.api import Api
from orderly.folder import Folder
from orderly.options import Data


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="alice, bob, operator, auditor, customer-…")],
    data: Data = None,
) -> None:
    """Print an access token, and nothing else."""
    print(Api.of(Folder.at(data), name).token())
