"""A platform in the foreground: it lives as long as a block of code, or until Ctrl-C."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer

from orderly import launcher, logfiles
from orderly.failure import FAILED
from orderly.folder import Folder
from orderly.interrupts import as_keyboard_interrupt
from orderly.launcher import Launch
from orderly.output import say
from orderly.progress import Starting
from orderly.shape import Shape

Tell = Callable[[str], None]

LOOK_EVERY = 0.2  # seconds, at the supervisor's log


@contextmanager
def platform(folder: Folder, shape: Shape, *, port: int | None = None, tell: Tell = say) -> Iterator[Launch]:
    """Ready to take orders; stopped after the block, unless it ran before. Ctrl-C ends the block early, and quietly."""
    with as_keyboard_interrupt():
        launch = start(folder, shape, port=port, attached=True, tell=tell)
        try:
            yield launch
        except KeyboardInterrupt:
            if launch.supervisor is not None:
                tell("\ndraining … [dim](Ctrl-C again: do not wait)[/]")
        finally:
            if launch.supervisor is not None:
                launcher.stop(folder, launch.supervisor)
                tell("[green]✓[/] stopped; nothing is left running")


def start(folder: Folder, shape: Shape, *, port: int | None, attached: bool, tell: Tell = say) -> Launch:
    """With progress where it takes long. Ctrl-C leaves nothing running."""
    began = time.monotonic()
    try:
        with Starting() as starting:
            launch = launcher.bring_up(
                folder, shape, port=port, attached=attached, progress=starting.show, tell=starting.tell
            )
    except KeyboardInterrupt:
        tell("stopped before it was up")
        raise typer.Exit(FAILED) from None
    run = launch.run
    if launch.supervisor is None:
        tell(
            f"[green]✓[/] the platform already runs: [bold]{run.base_url}[/] [dim](supervisor {run.supervisor.pid})[/]"
        )
    else:
        took = time.monotonic() - began
        tell(f"[green]✓[/] orders can be placed: [bold]{run.base_url}[/] [dim]({took:.1f} s)[/]")
        tell(f"  [dim]data[/]  {folder.root}")
        tell(f"  [dim]logs[/]  {folder.logs}")
    return launch


def stay(folder: Folder, supervisor: subprocess.Popen[bytes]) -> None:
    """Tell what happens to the services until Ctrl-C (KeyboardInterrupt). Raises Failure when the supervisor was killed."""
    log = logfiles.Follower(folder.log_of("supervisor"))
    try:
        while supervisor.poll() is None:
            for line in log.lines():
                if told := _retold(line):
                    say(f"[dim]{datetime.now():%H:%M:%S}[/]  {told}")
            time.sleep(LOOK_EVERY)
    finally:
        log.close()
    if supervisor.returncode:
        raise launcher.supervisor_ended(folder, supervisor.returncode)
    say("it was stopped from elsewhere")


def _retold(line: Mapping[str, Any]) -> str:
    name = f"[bold]{line.get('name')}[/]"
    match line.get("event"):
        case "service_died":
            code = line.get("code", 0)
            how = f"was killed by signal {-code}" if code < 0 else f"ended ({line.get('error') or f'exit code {code}'})"
            return f"[yellow]✗[/] {name} {how}; it is started again in {line['restart_in']:g} s"
        case "service_silent":
            return f"[yellow]✗[/] {name} has not answered for {line['seconds']} s: killed"
        case "service_started":
            return f"[green]✓[/] {name} runs again, pid {line['pid']}"
    return ""
