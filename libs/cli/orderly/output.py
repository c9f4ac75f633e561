"""What the command prints: calm on a terminal, plain in a pipe, JSON for a script."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orderly.failure import Failure
from orderly.folder import Folder

PIPE_WIDTH = 200  # a pipe has no width: wrap nothing that a reader would grep for


def _console(stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=None if stream.isatty() else PIPE_WIDTH)


def say(text: str = "", *, stderr: bool = False) -> None:
    """One line of rich markup; `escape` what comes from elsewhere."""
    _console(stderr).print(text)


def say_line(text: str) -> None:
    """One line of rich markup, cut where the terminal ends; whole in a pipe."""
    _console(stderr=False).print(text, soft_wrap=False, no_wrap=True, overflow="ellipsis")


def show_json(found: Any) -> None:
    print(json.dumps(found, indent=2))


def table(title: str, *columns: str, rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Cells are rich markup."""
    drawn = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    _console(stderr=False).print(drawn, soft_wrap=False)


def show_failure(failure: Failure) -> None:
    say(f"[red]✗[/] {escape(failure.what)}", stderr=True)
    if failure.advice:
        say(f"  {escape(failure.advice)}", stderr=True)
    for line in failure.evidence:
        say(f"  [dim]│[/] {escape(line)}", stderr=True)


def megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"


def command(words: str, folder: Folder) -> str:
    """`orderly …` as this reader would call it again, from where they stand, for this folder."""
    ours = Path(sys.executable).parent / "orderly"
    found = shutil.which("orderly")
    if found and Path(found).parent == ours.parent:
        name = "orderly"
    else:
        shorter = os.path.relpath(ours)
        name = shlex.quote(str(ours) if shorter.startswith("../..") else shorter)
    where = "" if Folder.at(None) == folder else f" --data {shlex.quote(str(folder.root))}"
    return f"{name} {words}{where}"
