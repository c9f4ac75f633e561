"""One service as a process of its own, on a socket that the test holds: whoever is told the address may come at once."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from common.testing.certificates import Certificates


def listening() -> socket.socket:
    found = socket.create_server(("127.0.0.1", 0), backlog=100)
    found.set_inheritable(True)
    return found


@contextmanager
def process(
    name: str, api: socket.socket, certificates: Certificates, data: Path, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """`settings` without their prefix. It is killed in the end; what it says is in `data`."""
    with closing(listening()) as admin, (data / f"{name}.log").open("ab") as log:
        told = {
            "DATA": str(data),
            "CERTIFICATES": str(certificates.publish(name)),
            "API_FD": str(api.fileno()),
            "ADMIN_FD": str(admin.fileno()),
            **settings,
        }
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", name],
            env={**os.environ, **{f"ORDERLY_{key}": value for key, value in told.items()}},
            pass_fds=(api.fileno(), admin.fileno()),
            stdout=log,
            stderr=log,
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait()
