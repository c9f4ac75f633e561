"""`orderly up`, `down` and `status`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from orderly import foreground, health, launcher, runfile, upstreams
from orderly.failure import FAILED, NOT_RUNNING, NotRunning
from orderly.folder import Folder
from orderly.interrupts import as_keyboard_interrupt
from orderly.options import Brokers, Data, Durable, Engine, Json, Port, Scale, Secure
from orderly.output import command, megabytes, say, show_json, table
from orderly.runfile import Run
from orderly.shape import Shape
from orderly.upstreams import Upstream


def up(
    data: Data = None,
    port: Port = None,
    engine: Engine = "",
    brokers: Brokers = 0,
    scale: Scale = None,
    durable: Durable = False,
    secure: Secure = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when orders can be placed.")] = False,
) -> None:
    """Start the platform and keep it alive; Ctrl-C drains and stops it.

    Run again on the same data, it brings back what has died and says where the platform is.
    """
    shape, folder = Shape(engine, brokers, scale or (), durable, secure), Folder.at(data, engine)
    if detach:
        with as_keyboard_interrupt():
            launch = foreground.start(folder, shape, port=port, attached=False)
        if launch.supervisor is not None:
            _hint(folder, command("down", folder))
        return
    with foreground.platform(folder, shape, port=port) as launch:
        if launch.supervisor is not None:
            _hint(folder, "Ctrl-C")
            foreground.stay(folder, launch.supervisor)


def _hint(folder: Folder, stop: str) -> None:
    say(f"  [dim]try[/]   {command('demo', folder)}")
    say(f"  [dim]stop[/]  {stop}")


def down(data: Data = None) -> None:
    """Stop the platform and everything it started."""
    stopped = launcher.take_down(Folder.at(data))
    if not stopped.names:
        say("nothing was running")
        return
    say(f"[green]✓[/] stopped {', '.join(stopped.names)}")
    if stopped.killed:
        say(f"  [yellow]had to be killed:[/] {', '.join(stopped.killed)} (nothing that was acknowledged is lost)")


def status(
    data: Data = None,
    as_json: Json = False,
    with_upstreams: Annotated[
        bool, typer.Option("--upstreams", help="Also how services see each other: breakers, retries.")
    ] = False,
) -> None:
    """Show services, ports, memory and health. Exit code 0: all healthy, 1: not all, 2: not running."""
    folder = Folder.at(data)
    run = runfile.read(folder)
    alive = run is not None and (run.running() or bool(run.leftovers()))
    if run is None or not alive:
        if not as_json:
            raise NotRunning(folder.root)
        show_json({"base_url": None, "engine": None, "data_dir": str(folder.root), "services": []})
        raise typer.Exit(NOT_RUNNING)
    complaints = {**health.unready_all(run.services), "supervisor": _supervisor_complaint(run)}
    found = _report(run, complaints)
    asked = upstreams.seen_by(run.services) if with_upstreams else []
    if as_json:
        show_json({**found, "upstreams": [asdict(it) for it in asked]} if with_upstreams else found)
    else:
        _draw(run, found, complaints)
        if with_upstreams:
            _draw_upstreams(asked)
    if any(complaints.values()):
        raise typer.Exit(FAILED)


def _supervisor_complaint(run: Run) -> str | None:
    if not run.running():
        return "not running: nobody brings back what dies; run: orderly up"
    return "frozen" if run.supervisor.frozen() else None


def _report(run: Run, complaints: Mapping[str, str | None]) -> dict[str, Any]:
    """The fixed shape of `status --json`."""
    services: list[dict[str, Any]] = [
        {
            "name": it.name,
            "role": it.role,
            "pid": it.process.pid if it.process else None,
            "port": it.port,
            "admin_port": it.admin_port,
            "rss_bytes": it.process.memory() if it.process else 0,
            "healthy": complaints[it.name] is None,
        }
        for it in run.services
    ]
    supervisor = {
        "name": "supervisor",
        "role": "supervisor",
        "pid": run.supervisor.pid,
        "port": None,
        "admin_port": None,
        "rss_bytes": run.supervisor.memory(),
        "healthy": complaints["supervisor"] is None,
    }
    return {
        "base_url": run.base_url,
        "engine": run.shape.engine,
        "data_dir": run.data_dir,
        "services": [*services, supervisor],
    }


def _draw(run: Run, found: Mapping[str, Any], complaints: Mapping[str, str | None]) -> None:
    starts = {it.name: it.starts for it in run.services}
    rows = [
        (
            "[green]●[/]" if it["healthy"] else "[red]●[/]",
            f"[bold]{it['name']}[/]",
            it["role"],
            str(it["pid"] or "–"),
            str(it["port"] or ""),
            str(it["admin_port"] or ""),
            megabytes(it["rss_bytes"]),
            str(max(0, starts.get(it["name"], 1) - 1) or ""),
            complaints[it["name"]] or "",
        )
        for it in found["services"]
    ]
    say(f"[bold]{run.base_url}[/]  [dim]{run.shape.engine} · {run.data_dir}[/]\n")
    columns = ("", "service", "role", "pid", "port", "admin", "memory", "restarts", "")
    table("", *columns, rows=rows, right=("pid", "port", "admin", "memory", "restarts"))
    say(f"\n[dim]memory in all[/] {megabytes(sum(it['rss_bytes'] for it in found['services']))}")


def _draw_upstreams(asked: Sequence[Upstream]) -> None:
    rows = [
        (
            it.service,
            f"[bold]{it.name}[/]",
            f"[red]{it.breaker}[/]" if it.breaker in ("open", "half-open") else it.breaker,
            ", ".join(f"{count} {state}" for state, count in it.endpoints.items() if count),
            f"{it.in_flight}" + (f" + {it.waiting}" if it.waiting else ""),
            ", ".join(f"{count:,} {outcome}" for outcome, count in it.outcomes.items() if count),
            ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in it.repeats.items() if count),
        )
        for it in asked
    ]
    columns = ("service", "asks", "breaker", "endpoints", "in flight", "requests", "once more")
    say()
    table("", *columns, rows=rows, right=("in flight",))
