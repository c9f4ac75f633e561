"""`orderly run` and `orderly demo`: the platform, and five orders that tell how it works."""

from typing import Annotated

import typer

from orderly import foreground, runfile, story
from orderly.failure import FAILED, Failure
from orderly.folder import Folder
from orderly.options import Brokers, Data, Durable, Engine, Port, Scale, Secure
from orderly.output import command, megabytes, say, say_line
from orderly.runfile import Run
from orderly.shape import Shape
from orderly.story import Told


def run(
    data: Data = None,
    port: Port = None,
    engine: Engine = "",
    brokers: Brokers = 0,
    scale: Scale = None,
    durable: Durable = False,
    secure: Secure = False,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Tell the story first.")] = True,
) -> None:
    """Start everything, place a few orders and tell their stories, then stay for you to play; Ctrl-C stops it all."""
    shape, folder = Shape(engine, brokers, scale or (), durable, secure), Folder.at(data, engine)
    with foreground.platform(folder, shape, port=port) as launch:
        told = _tell(folder, launch.run) if demo else None
        _try_next(folder, launch.run, told)
        if launch.supervisor is not None:
            say("\n[bold]Ctrl-C stops everything.[/] Until then, what happens to the services is told here.\n")
            foreground.stay(folder, launch.supervisor)


def demo(
    data: Data = None,
    port: Port = None,
    engine: Engine = "",
    brokers: Brokers = 0,
    scale: Scale = None,
    durable: Durable = False,
    secure: Secure = False,
    first_within: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Fail when the first order was confirmed later.")
    ] = None,
    memory_within: Annotated[
        int | None, typer.Option(metavar="MB", help="Fail when the platform's processes took more memory in all.")
    ] = None,
) -> None:
    """Tell the story and exit. Exit code 1: an order ended otherwise than it should, or a budget was exceeded.

    A platform that runs already is used, and left running.
    """
    told: Told | None = None
    shape, folder = Shape(engine, brokers, scale or (), durable, secure), Folder.at(data, engine)
    with foreground.platform(folder, shape, port=port) as launch:
        told = _tell(folder, launch.run)
    if told is None:  # interrupted
        raise typer.Exit(FAILED)
    over = []
    if first_within is not None and (told.first is None or _seconds_to(told.first) > first_within):
        over.append(f"no order was confirmed within {first_within:g} s")
    if memory_within is not None and told.memory > memory_within * 1_000_000:
        over.append(f"{megabytes(told.memory)} of memory is more than {memory_within} MB")
    if over:
        raise Failure("; ".join(over))
    if told.wrong:
        raise typer.Exit(FAILED)


def _tell(folder: Folder, started: Run) -> Told:
    told = story.tell(folder, started.base_url, say, say_line)
    now = runfile.read(folder) or started
    processes = {it.name: it.process.memory() for it in now.services if it.process}
    processes["supervisor"] = now.supervisor.memory()
    told.memory = sum(processes.values())
    count = len(story.SCENES)
    say()
    if told.wrong:
        say(f"[bold red]✗ {told.wrong} of {count} orders did not end as they should[/]")
    else:
        say(f"[green]✓[/] all {count} orders ended as they should")
    if told.first is not None:
        by_make = "" if story.since_make(told.first) is None else f", {story.since_make(told.first):.1f} s after make"
        say(f"  [dim]first order confirmed[/]    {story.since_command(told.first):.1f} s after the command{by_make}")
    each = ", ".join(f"{name} {megabytes(size)}" for name, size in processes.items())
    say(f"  [dim]memory of the platform[/]   {megabytes(told.memory)} [dim]({each})[/]")
    return told


def _seconds_to(moment: float) -> float:
    return story.since_make(moment) or story.since_command(moment)


def _try_next(folder: Folder, run: Run, told: Told | None) -> None:
    authorized = '-H "Authorization: Bearer $TOKEN"'
    say("\n[bold]Talk to it[/]\n")
    say(f"  TOKEN=$({command('token alice', folder)})")
    say(f"  curl {run.base_url}/v1/products {authorized}")
    say(f"  curl {run.base_url}/v1/orders {authorized} -H 'Idempotency-Key: my-first' -H 'Prefer: wait=5' \\")
    say(
        """    -H 'Content-Type: application/json' -d '{"lines":[{"sku":"tea","quantity":2}],"payment_token":"tok_ok"}'"""
    )
    order = run.service("order").process
    hints = {
        command("order place --sku mug:2 --watch", folder): "an order, step by step",
        f"kill -9 {order.pid if order else 'PID'}": "the order service: it comes back, and nothing is lost",
        command("verify", folder): "do all the laws hold?",
    }
    if told is not None and told.last_order:
        hints[command(f"state {told.last_order} --at +20ms", folder)] = "time travel: that order as it was then"
    width = max(map(len, hints))
    say("\n[bold]Watch, break, check[/]\n")
    for line, meaning in hints.items():
        say(f"  {line:<{width}}  [dim]# {meaning}[/]")
