"""`orderly redis users`: what a Redis that knows its users is to be told of the platform's."""

import typer

from common.security.access import IN_REDIS, NOBODY_IN_REDIS
from orderly.options import Json
from orderly.output import show_json

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def redis() -> None:
    """The Redis that the platform is to live on."""


@app.command()
def users(as_json: Json = False) -> None:
    """Print the platform's users as lines of an aclfile. Put the SHA-256 of a password, in hex, in the place of …"""
    if as_json:
        show_json({user: list(space.rules()) for user, space in IN_REDIS.items()})
        return
    print(NOBODY_IN_REDIS)
    for user, space in IN_REDIS.items():
        print(f"user {user} on #… {' '.join(space.rules())}")
