"""How each process of the platform is started, and in which order they stop."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence

from common.topology import GATEWAY, PROCESSING_SERVICES, PROVIDER
from orderly import backing
from orderly.child import Plan
from orderly.folder import Folder
from orderly.heartbeat import livez
from orderly.servers import Servers
from orderly.shape import START_ORDER, Post
from orderly.sockets import LOOPBACK, Doors, listen

STOP_ORDER = ((GATEWAY,), PROCESSING_SERVICES, (PROVIDER,), backing.ROLES)  # callers before those they call


def open_doors(posts: Sequence[Post], gateway: socket.socket) -> dict[str, Doors]:
    """By the name of the process. All APIs of a service answer behind one socket: who is free takes the next connection."""
    served = {it.service: gateway if it.service == GATEWAY else listen() for it in posts}
    return {it.name: Doors(served[it.service] if it.answers else None, listen()) for it in posts}


def environment(folder: Folder, ports: Mapping[str, int | None], engine: str, servers: Servers) -> dict[str, str]:
    """What a service is told: our own environment, where the data is, and where the others listen."""
    return {
        **os.environ,
        "ORDERLY_DATA": str(folder.root),
        "ORDERLY_ENGINE": engine,
        **servers.environment(),
        "ORDERLY_FAULTS": os.environ.get("ORDERLY_FAULTS", "on"),  # whoever may set one may kill the process as well
        **{
            f"ORDERLY_{name.upper()}_URL": f"{scheme(name)}://{LOOPBACK}:{ports.get(name) or 0}" for name in START_ORDER
        },
    }


def scheme(service: str) -> str:
    """Services speak mutual TLS only; the gateway's edge is plain on loopback unless it is given a certificate."""
    return "http" if service == GATEWAY and not os.environ.get("ORDERLY_EDGE_CERTIFICATE") else "https"


def plans(
    folder: Folder, posts: Sequence[Post], doors: Mapping[str, Doors], engine: str, servers: Servers
) -> list[Plan]:
    """`-P`: a folder of the same name where the user happens to stand is not the service."""
    told = environment(folder, {it.service: port for it in posts if (port := doors[it.name].api_port)}, engine, servers)
    return [
        Plan(
            name=it.name,
            service=it.service,
            role=it.role,
            command=(sys.executable, "-P", "-m", it.service, "--role", it.role),
            environment={
                **told,
                "ORDERLY_CERTIFICATES": str(folder.certificates / it.service),
                "ORDERLY_MEMBER": str(it.slot),
                "ORDERLY_API_REPLICAS": str(sum(other.service == it.service and other.answers for other in posts)),
                "ORDERLY_PARENT_FD": "0",
            },
            question=livez(doors[it.name].admin_port),
            log=folder.log_of(it.name),
            port=doors[it.name].api_port,
            admin_port=doors[it.name].admin_port,
            sockets=doors[it.name].fds,
        )
        for it in posts
    ]
