"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

from common.settings import ENGINES

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder. Default: $ORDERLY_DATA, else in your data home."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a script.")]
Who = Annotated[str, typer.Option("--as", metavar="NAME", help="Who asks: alice, bob, operator, auditor, customer-….")]


Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="|".join(ENGINES),
        help="What it runs on. Default: what the data was made with, else embedded.",
    ),
]
Brokers = Annotated[
    int, typer.Option("--brokers", metavar="1|3", help="Kafka nodes, where no KAFKA_BOOTSTRAP names others.")
]
Durable = Annotated[bool, typer.Option("--durable", help="Our Kafka writes to disk before it acknowledges.")]
Secure = Annotated[
    bool,
    typer.Option("--secure", help="Our Kafka and Redis: TLS, and for each service no more than it needs. For good."),
]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        "--scale", metavar="SERVICE[.ROLE]=N", help="More processes, for example order.processor=2. Repeatable."
    ),
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="The gateway's port. Default: as last time, else 8080, else any."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="Idempotency-Key: said twice, done once. Default: a new one."),
]
