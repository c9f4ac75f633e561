"""The `orderly` command: run, watch, break and check the platform."""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from orderly.failure import Failure

# command -> where it is, in orderly.commands; in the order of the help
COMMANDS = {
    "run": "story.run",
    "demo": "story.demo",
    "up": "platform.up",
    "down": "platform.down",
    "status": "platform.status",
    "token": "token.token",
    "order": "orders.app",
    "product": "products.app",
    "verify": "verify.verify",
    "audit": "audit.app",
    "trace": "trace.trace",
    "logs": "logs.logs",
    "log": "log.app",
    "state": "state.state",
    "replay": "state.replay",
    "dead-letters": "dead_letters.app",
    "fault": "fault.app",
    "certs": "certs.app",
    "keys": "keys.app",
    "kafka": "kafka.app",
    "redis": "redis.app",
    "customer": "customer.app",
    "bench": "bench.bench",
}


class Commands(TyperGroup):
    """Imports a command when it is wanted: printing a token need not wait for what the laws import."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # click's types are not Typer's to give
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(".")
        found = getattr(import_module(f"orderly.commands.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            found = single
        made = typer.main.get_command(found)
        made.name = cmd_name
        return made


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def orderly() -> None:
    """Run, watch, break and check an order platform that states its laws."""


def main() -> None:
    """The entry point: a Failure is told, never shown as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that knows no ✓ shows a ?
    try:
        app()
    except Failure as failure:
        from orderly.output import show_failure  # only now: see Commands

        show_failure(failure)
        sys.exit(failure.code)


if __name__ == "__main__":
    main()
