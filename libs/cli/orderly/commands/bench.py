"""`orderly bench`: what an order costs here."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from orderly import bench as load
from orderly import foreground, runfile
from orderly.failure import FAILED, NotRunning
from orderly.folder import Folder
from orderly.options import Data, Engine, Json
from orderly.output import megabytes, say, show_json, table
from orderly.processes import Identity
from orderly.shape import Shape


def bench(
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Orders a second, for the constant arrivals; 0: none.")
    ] = 30,
    duration: Annotated[float, typer.Option("--duration", min=1, help="Seconds, of each of the two phases.")] = 10,
    in_flight: Annotated[
        int, typer.Option("--in-flight", min=0, max=2000, help="Orders, for the saturation; 0: none.")
    ] = 64,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="On a platform of its own, with empty data and no rate limit.")
    ] = False,
    engine: Engine = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Load the platform for a short while and print what an order costs. Run nothing else beside it.

    Exit code 1: not every order was confirmed.
    """
    found: dict[str, Any] | None = None
    with _fresh_platform(engine) if fresh else nullcontext(Folder.at(data, engine)) as folder:
        url, processes = _target(folder)
        _aside(f"[dim]{rate:g} orders/s for {duration:g} s, then {in_flight} in flight for {duration:g} s …[/]\n")
        found = load.run(folder, url, processes, rate=rate, duration=duration, in_flight=in_flight)
    if found is None:  # interrupted
        raise typer.Exit(FAILED)
    if as_json:
        show_json(found)
    else:
        _draw(found)
    phases = (found["constant"], found["saturation"])
    if any(set(phase["outcomes"]) - {"confirmed"} for phase in phases):
        raise typer.Exit(FAILED)


def _target(folder: Folder) -> tuple[str, Mapping[str, Identity]]:
    """Where to, and whose CPU and memory can be looked at. Raises NotRunning."""
    if elsewhere := os.environ.get("ORDERLY_URL"):
        return elsewhere.rstrip("/"), {}
    run = runfile.read(folder)
    if run is None or not run.running():
        raise NotRunning(folder.root)
    return run.base_url, load.processes_of(run)


@contextmanager
def _fresh_platform(engine: str) -> Iterator[Folder]:
    os.environ["ORDERLY_RATE_LIMIT"] = "off"
    with TemporaryDirectory(prefix="orderly-bench-") as root:
        folder = Folder.at(Path(root))
        with foreground.platform(folder, Shape(engine), tell=_aside):
            yield folder


def _aside(text: str) -> None:
    """Where it does not disturb a script that reads JSON."""
    say(text, stderr=True)


def _draw(found: Mapping[str, Any]) -> None:
    constant, saturation = found["constant"], found["saturation"]
    rows = [
        _row(f"constant, {constant['rate']:g}/s", constant),
        _row(f"saturation, {saturation['in_flight']} in flight", saturation),
    ]
    columns = ("load", "orders", "orders/s", "accepted p50/p99 ms", "final p50/p99 ms", "CPU ms/order", "outcomes")
    table("", *columns, rows=rows, right=columns[1:-1])
    say()
    memory = found["rss_bytes"]
    table("", "process", "memory", rows=[(name, megabytes(size)) for name, size in memory.items()], right=("memory",))
    say(f"[dim]in all[/] {megabytes(sum(memory.values()))}")
    if any(name.startswith("refused 429") for phase in (constant, saturation) for name in phase["outcomes"]):
        say("\n[yellow]The rate limit refused some:[/] start the platform with ORDERLY_RATE_LIMIT=off to measure it.")


def _row(name: str, phase: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        f"{phase['orders']:,}",
        f"{phase['orders_per_second']:,}",
        _pair(phase["acceptance_ms"]),
        _pair(phase["completion_ms"]),
        str(phase["cpu_ms_per_order"]),
        ", ".join(f"{count} {name}" for name, count in phase["outcomes"].items()),
    )


def _pair(found: Mapping[str, float] | None) -> str:
    return f"{found['p50']:g} / {found['p99']:g}" if found else ""
