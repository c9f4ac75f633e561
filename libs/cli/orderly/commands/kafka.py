"""`orderly kafka`: what a Kafka needs before the platform can live on it."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from common import settings, topology
from common.errors import OrderlyError, Unavailable
from common.security import access
from common.settings import OnKafka
from orderly.failure import Failure
from orderly.options import Json
from orderly.output import say, show_json

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def kafka() -> None:
    """The Kafka that the platform is to live on."""


@app.command()
def prepare(
    bootstrap: Annotated[
        str, typer.Option("--bootstrap", metavar="HOST:PORT,…", help="Default: $ORDERLY_KAFKA_BOOTSTRAP.")
    ] = "",
    acls: Annotated[bool, typer.Option("--acls", help="Give each service its rights, too.")] = False,
    principal: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What the brokers call a service: 'User:CN={service},O=shop' where certificates speak for themselves.",
        ),
    ] = "User:{service}",
    patience: Annotated[float, typer.Option(min=0, help="Seconds in which a broker may yet begin to answer.")] = 0,
    as_json: Json = False,
) -> None:
    """Create the topics, and with --acls the least rights of each service. Done again, it changes nothing.

    It connects as the ORDERLY_KAFKA_… settings say (docs/kafka-access.md): as somebody who may create topics, and for --acls
    one of the brokers' super.users.
    """
    try:
        told = _settings(bootstrap)
        found = _patiently(lambda: _prepare(told, principal if acls else ""), patience)
    except Failure:
        raise
    except OrderlyError as error:
        raise Failure(str(error), "where and as whom it connects is said by ORDERLY_KAFKA_…") from None
    if as_json:
        show_json(found)
    else:
        _draw(found)


@app.command()
def wait(
    bootstrap: Annotated[
        str, typer.Option("--bootstrap", metavar="HOST:PORT,…", help="Default: $ORDERLY_KAFKA_BOOTSTRAP.")
    ] = "",
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait, at most.")] = 600,
) -> None:
    """Wait until somebody has prepared it: all topics are there, for whom it connects as."""
    told = _settings(bootstrap)
    say(f"waiting for the topics on {escape(told.kafka_bootstrap)}")
    try:
        _patiently(lambda: _look(told), patience)
    except OrderlyError as error:
        raise Failure(str(error), "has anybody prepared it? orderly kafka prepare") from None
    say("[green]✓[/] they are there")


def _look(told: OnKafka) -> None:
    """Raises Unavailable while one is missing."""
    from common.engine.kafka import connection_of
    from common.eventlog.kafka import KafkaLog

    with closing(KafkaLog(connection_of(told))) as log:
        missing = sorted({it.name for it in topology.topics()} - set(log.topics()))
    if missing:
        raise Unavailable(f"{told.kafka_bootstrap} shows no {', '.join(missing)}")


def _patiently(ask: Callable[[], T], seconds: float) -> T:
    until = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except OrderlyError as error:
            if isinstance(error, Failure) or time.monotonic() > until:
                raise
        time.sleep(0.5)


def _settings(bootstrap: str) -> OnKafka:
    told = settings.read(OnKafka, os.environ)
    told = replace(told, kafka_bootstrap=bootstrap or told.kafka_bootstrap)
    if not told.kafka_bootstrap:
        raise Failure("there is no Kafka to prepare", "name it: --bootstrap HOST:PORT, or ORDERLY_KAFKA_BOOTSTRAP")
    return told


def _prepare(told: OnKafka, principal: str) -> dict[str, Any]:
    from common.engine.kafka import connection_of  # only now: see orderly.__main__
    from common.eventlog.kafka import KafkaLog
    from orderly import kafka_rights

    connection, wanted = connection_of(told), topology.topics()
    with closing(KafkaLog(connection)) as log:
        before = log.topics()
        log.create(wanted)
    found: dict[str, Any] = {
        "bootstrap": connection.bootstrap,
        "topics": [
            {"name": it.name, "partitions": it.partitions, "cleanup": it.cleanup.value, "made": it.name not in before}
            for it in wanted
        ],
        "rights": [],
    }
    if principal:
        try:
            names = {user: principal.format(service=user) for user in access.USERS}
        except (KeyError, IndexError, ValueError):
            names = {}
        if len(set(names.values())) != len(access.USERS) or not all(":" in name for name in names.values()):
            raise Failure(f"--principal {principal!r} names no service", "for example: 'User:CN={service},O=shop'")
        given = kafka_rights.grant(connection, {name: access.in_kafka(user) for user, name in names.items()})
        found["rights"] = [asdict(it) for it in given]
    return found


def _draw(found: dict[str, Any]) -> None:
    made = [it for it in found["topics"] if it["made"]]
    for it in made:
        say(f"  made {it['name']} [dim]{it['partitions']} partitions, {it['cleanup']}[/]")
    say(f"[green]✓[/] {len(found['topics'])} topics on {escape(found['bootstrap'])}, {len(made)} of them made now")
    for it in found["rights"]:
        total = it["added"] + it["there"]
        say(f"[green]✓[/] {escape(it['principal'])}: {total} rights, {it['added']} of them given now")
        for other in it["more"]:
            say(f"  [yellow]and not needed by the platform:[/] {escape(other)}")
