"""Options that many commands share."""

import enum
from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder. Default: $ORDERLY_DATA, else in your data home."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a script.")]
Who = Annotated[str, typer.Option("--as", metavar="NAME", help="Who asks: alice, bob, operator, customer-….")]


class Engine(enum.StrEnum):
    EMBEDDED = "embedded"


EngineChoice = Annotated[Engine, typer.Option("--engine", help="What the log is kept in.")]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="The gateway's port. Default: as last time, else 8080, else any."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="Idempotency-Key: said twice, done once. Default: a new one."),
]
