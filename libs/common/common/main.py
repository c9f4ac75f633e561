"""The entry point of every service: settings → build → run."""

import common.telemetry.lean  # noqa: F401, I001  # first: see there

import argparse
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from common import runtime
from common.errors import LogError, SettingsError
from common.runtime import Process
from common.security import audit
from common.settings import ROLES, Keeping, Listening, read
from common.telemetry import logs, messaging_spans, traces

T = TypeVar("T", bound=Listening)


def main(
    service: str, settings: type[T], build: Callable[[T], Process], rebuild: Callable[[T, bool], int] | None = None
) -> None:
    """Run the service. Wrong settings end it with status 2 and one clear line.

    With `rebuild`, the command `replay [--switch]` does that instead, and ends with its result.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service}", description=f"Orderly's {service} service.")
    parser.add_argument("--role", choices=ROLES, help="which part of the service this process runs (default: all)")
    parser.set_defaults(command="")
    if rebuild is not None:
        replay = parser.add_subparsers(dest="command").add_parser("replay", help="rebuild the read model, and compare")
        replay.add_argument("--switch", action="store_true", help="then serve the rebuilt one")
    given = parser.parse_args()
    environ = {**os.environ, **({"ORDERLY_ROLE": given.role} if given.role else {})}
    try:
        chosen = read(settings, environ)
        logs.configure(service, chosen.log_level)
        audit.keep(chosen.audit)
        if rebuild is not None and given.command:
            raise SystemExit(rebuild(chosen, given.switch))
        messaging_spans.configure(chosen.engine if isinstance(chosen, Keeping) else "")
        traces.configure(service, chosen.traces, environ)
        runtime.run(build(chosen), chosen)
    except (SettingsError, LogError) as error:
        sys.stderr.write(f"{service}: {error}\n")
        raise SystemExit(2) from None
    finally:
        traces.close()
