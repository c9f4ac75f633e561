"""`orderly certs show|rotate`: the certificates by which the services know each other."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from common.clock import rfc3339, system_clock
from common.errors import OrderlyError
from orderly import runfile
from orderly.certificates import FORGOTTEN_AFTER, TRUST_DOMAIN, TRUSTED_AFTER, Store
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


@app.command()
def kubernetes(
    release: Annotated[str, typer.Option("--release", help="What the names of its Secrets begin with.")] = "orderly",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Where it is installed.")] = "orderly",
    trust_domain: Annotated[str, typer.Option("--trust-domain", help="As in the chart's values.")] = TRUST_DOMAIN,
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Certificates come from elsewhere.")] = False,
    again: Annotated[bool, typer.Option("--rotate", help="New keys and certificates for all, now.")] = False,
    ca: Annotated[bool, typer.Option("--rotate-ca", help="Begin to replace the authority, in steps.")] = False,
    issuer: Annotated[bool, typer.Option("--rotate-issuer", help="A new key for the demo issuer's tokens.")] = False,
) -> None:
    """Keep the Secrets of an installation in Kubernetes: make what is missing, renew what is due.

    The chart does so at each install and upgrade, and every half hour; you may at any time, from wherever kubectl works. Where
    ORDERLY_KAFKA_… and ORDERLY_REDIS_… name the servers' own users, they are first told to load what they were given before.
    """
    from orderly.kubernetes_secrets import Platform, issue_another, issue_due, keep  # large, and needed only here

    platform = Platform(release, namespace, trust_domain, certified=not keys_only)
    work = Store.rotate if again else Store.rotate_authority if ca else Store.step
    if os.environ.get("ORDERLY_KAFKA_BOOTSTRAP"):
        _tell()
    changed = asyncio.run(keep(platform, work, issue_another if issuer else issue_due))
    for name in changed:
        say(f"[green]✓[/] {name}")
    if not changed:
        say("nothing is due")


def _tell() -> None:
    """First, because what is changed now reaches their files in a minute: next time."""
    from orderly.backing import telling

    try:
        telling.tell_kafka(os.environ)
        telling.tell_redis(os.environ, Path(os.environ.get("ORDERLY_CERTIFICATES", "/certificates")))
    except OrderlyError as error:
        say(f"[yellow]![/] {escape(str(error))}; they go on with what they have, and are told again next time")
        return
    say("[green]✓[/] Kafka and Redis have loaded the certificates that they have")


@contextmanager
def _store(folder: Folder) -> Iterator[Store]:
    try:
        yield Store(folder.certificates)
    except (OSError, ValueError) as error:
        raise Failure(f"certificates in {folder.certificates}: {error}") from None
