"""`orderly keys rotate`: the master key that wraps the customers' keys, or the key that the demo issuer signs tokens with."""

from typing import Annotated

import typer

from common.clock import MINUTE, system_clock
from common.security import keyring
from orderly import evidence, vaults
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data
from orderly.output import say

app = typer.Typer(
    help="The master key, which wraps the customers' keys; and the demo issuer's, which signs tokens.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def keys() -> None:
    """A group, although it has one command."""


@app.command()
def rotate(
    tokens: Annotated[
        bool, typer.Option("--tokens", help="The key that signs tokens, and not the master key.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="With --tokens: no token of an older key is good any more. Was one stolen?")
    ] = False,
    data: Data = None,
) -> None:
    """Make a new master key, wrap every customer's key by it, and forget the former; running services see nothing of it.

    With --tokens, a new signing key: it is published at once and signs two minutes later, and the former is known until the
    last token that it has signed has expired. A day later that is done anyway.
    """
    folder = Folder.at(data)
    if tokens:
        _rotate_issuer(folder, forget)
        return
    if forget:
        raise Failure("--forget is for --tokens", "the former master key is always forgotten")
    with vaults.of(folder) as vault:
        count = vault.rotate()
    evidence.act(folder, "rotated the master key")
    say(f"[green]✓[/] a new master key; {count:,} customers' keys are wrapped by it")


def _rotate_issuer(folder: Folder, forget: bool) -> None:
    if not folder.issuer_keys.is_dir():
        raise Failure(f"{folder.root}: no demo issuer has run here", "an outside issuer's keys are rotated there")
    try:
        keyring.rotate(folder.issuer_keys, system_clock(), forget=forget)
    except OSError as error:
        raise Failure(f"the issuer's keys in {folder.issuer_keys}: {error.strerror}") from None
    if forget:
        evidence.act(folder, "rotated the issuer's key, and forgot the former ones")
        say("[green]✓[/] a new key signs tokens; in two seconds those of the former ones are refused")
    else:
        evidence.act(folder, "rotated the issuer's key")
        say(f"[green]✓[/] a new key is published; it signs tokens in {keyring.SIGNS_AFTER // MINUTE} minutes")
