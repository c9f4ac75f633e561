"""Which services make the platform, how each is started, and in which order they stop."""

import os
import socket
import sys
from collections.abc import Mapping

from common.topology import GATEWAY, INVENTORY, ORDER, PAYMENT, PROVIDER
from orderly.child import Plan
from orderly.folder import Folder
from orderly.heartbeat import livez
from orderly.sockets import LOOPBACK, Doors, listen

START_ORDER = (PROVIDER, INVENTORY, PAYMENT, ORDER, GATEWAY)
STOP_ORDER = ((GATEWAY,), (ORDER, PAYMENT, INVENTORY), (PROVIDER,))  # callers before those they call
ROLE = "all"


def open_doors(gateway: socket.socket) -> dict[str, Doors]:
    return {name: Doors(gateway if name == GATEWAY else listen(), listen()) for name in START_ORDER}


def environment(folder: Folder, ports: Mapping[str, int | None], engine: str = "embedded") -> dict[str, str]:
    """What a service is told: our own environment, where the data is, and where the others listen."""
    return {
        **os.environ,
        "ORDERLY_DATA": str(folder.root),
        "ORDERLY_ENGINE": engine,
        **{f"ORDERLY_{name.upper()}_URL": f"http://{LOOPBACK}:{ports.get(name) or 0}" for name in START_ORDER},
    }


def plans(folder: Folder, engine: str, doors: Mapping[str, Doors]) -> list[Plan]:
    """`-P`: a folder of the same name where the user happens to stand is not the service."""
    told = environment(folder, {name: doors[name].api_port for name in START_ORDER}, engine)
    return [
        Plan(
            name=name,
            role=ROLE,
            command=(sys.executable, "-P", "-m", name, "--role", ROLE),
            environment={**told, "ORDERLY_PARENT_FD": "0"},
            question=livez(doors[name].admin_port),
            log=folder.log_of(name),
            port=doors[name].api_port,
            admin_port=doors[name].admin_port,
            sockets=doors[name].fds,
        )
        for name in START_ORDER
    ]
