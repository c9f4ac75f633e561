"""`orderly certs show|rotate`: the certificates by which the services know each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.markup import escape

from common.clock import rfc3339, system_clock
from orderly import runfile
from orderly.certificates import FORGOTTEN_AFTER, TRUSTED_AFTER, Store
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import command, say, show_json, table

app = typer.Typer(
    help="The certificates by which the services know each other.", no_args_is_help=True, add_completion=False
)


@app.command()
def show(data: Data = None, as_json: Json = False) -> None:
    """Show the authorities that are trusted, and what each service shows to the others."""
    with _store(Folder.at(data)) as store:
        found = store.show()
    if as_json:
        show_json(
            [
                {"role": it.role, "name": it.name, "signed_by": it.signed_by, "expires": rfc3339(it.expires)}
                for it in found
            ]
        )
        return
    if not found:
        say(f"no certificates yet: they are made by [bold]{command('up', Folder.at(data))}[/]")
        return
    now = system_clock()
    rows = [
        (
            it.role,
            escape(it.name),
            escape(it.signed_by),
            rfc3339(it.expires) if it.expires > now else f"[red]{rfc3339(it.expires)}[/]",
        )
        for it in found
    ]
    table("", "role", "name", "signed by", "expires", rows=rows)


@app.command()
def rotate(
    data: Data = None,
    ca: Annotated[bool, typer.Option("--ca", help="The authority too, in steps that fail no request.")] = False,
) -> None:
    """Make new keys and certificates now; running services take them within seconds, without a restart."""
    folder = Folder.at(data)
    with _store(folder) as store:
        if not ca:
            store.rotate()
            say("[green]✓[/] new certificates for every service")
            return
        if not store.rotate_authority():
            raise Failure("an authority is being replaced already", f"see: {command('certs show', folder)}")
    run = runfile.read(folder)
    say("[green]✓[/] a new authority was made, and is trusted beside the old one from now on")
    if run is not None and run.running():
        say(f"  it signs in {TRUSTED_AFTER // 1000} s, the old one is forgotten {FORGOTTEN_AFTER // 1000} s later")
    else:
        say(f"  the rest is done by the platform when it runs: {command('up', folder)}")


@contextmanager
def _store(folder: Folder) -> Iterator[Store]:
    try:
        yield Store(folder.certificates)
    except (OSError, ValueError) as error:
        raise Failure(f"certificates in {folder.certificates}: {error}") from None
