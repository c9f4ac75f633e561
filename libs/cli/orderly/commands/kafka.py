"""`orderly kafka`: what a Kafka needs before the platform can live on it."""

import os
from contextlib import closing
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer
from rich.markup import escape

from common import settings, topology
from common.errors import OrderlyError
from common.security import access
from common.settings import OnKafka
from orderly.failure import Failure
from orderly.options import Json
from orderly.output import say, show_json

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
    as_json: Json = False,
) -> None:
    """Create the topics, and with --acls the least rights of each service. Done again, it changes nothing.

    It connects as the ORDERLY_KAFKA_… settings say (docs/kafka-access.md): as somebody who may create topics, and for --acls
    one of the brokers' super.users.
    """
    try:
        found = _prepare(_settings(bootstrap), principal if acls else "")
    except Failure:
        raise
    except OrderlyError as error:
        raise Failure(str(error), "where and as whom it connects is said by ORDERLY_KAFKA_…") from None
    if as_json:
        show_json(found)
    else:
        _draw(found)


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
