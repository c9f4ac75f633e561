"""An auditor beside a platform, that tells Prometheus what it finds. It lives no longer than whoever started it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orderly.backing.leash import leashed
from orderly.folder import Folder
from orderly.sockets import LOOPBACK, free_ports

ENDS_WITHIN = 20.0  # seconds; an audit that is under way is finished


@contextmanager
def running(home: Path, folder: Folder, every: float = 15) -> Iterator[Mapping[str, Any]]:
    """Yields what a Prometheus scrapes. `every`: seconds between two audits."""
    (port,) = free_ports(1)
    command = [sys.executable, "-P", "-m", "orderly", "audit", "--data", str(folder.root)]
    command += ["--every", f"{every:g}", "--metrics-port", str(port)]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "auditor.log").open("wb") as log:
        process = subprocess.Popen(
            leashed(command), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield {"targets": [f"{LOOPBACK}:{port}"], "labels": {"job": "auditor", "instance": "auditor"}}
    finally:
        process.terminate()
        process.wait(ENDS_WITHIN)
        if process.stdin is not None:
            process.stdin.close()
