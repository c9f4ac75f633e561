"""How each process of the platform is started, and in which order they stop."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence

from common.topology import GATEWAY, PROCESSING_SERVICES, PROVIDER, REGISTRY
from orderly import backing
from orderly.child import Plan
from orderly.folder import Folder
from orderly.heartbeat import livez
from orderly.servers import Servers
from orderly.shape import Post, replicated
from orderly.sockets import LOOPBACK, Doors, listen

# callers before those they call
STOP_ORDER = ((GATEWAY,), PROCESSING_SERVICES, (PROVIDER,), (REGISTRY,), backing.ROLES)


def open_doors(posts: Sequence[Post], gateway: socket.socket) -> dict[str, Doors]:
    """By the name of the process. Gateways answer behind one socket: who is free takes the next connection."""
    return {it.name: Doors(_api_door(it, gateway), listen()) for it in posts}


def _api_door(post: Post, gateway: socket.socket) -> socket.socket | None:
    if not post.answers:
        return None
    return gateway if post.service == GATEWAY else listen()


def environment(
    folder: Folder, places: Mapping[str, str], engine: str, servers: Servers, service: str
) -> dict[str, str]:
    """What a service is told: our own environment, where the data is, and where the others are."""
    return {
        **os.environ,
        "ORDERLY_DATA": str(folder.root),
        "ORDERLY_AUDIT": str(folder.acts),
        "ORDERLY_ENGINE": engine,
        **servers.environment(folder, service),
        "ORDERLY_FAULTS": os.environ.get("ORDERLY_FAULTS", "on"),  # whoever may set one may kill the process as well
        **{f"ORDERLY_{name.upper()}_URL": place for name, place in places.items()},
    }


def scheme(service: str) -> str:
    """Services speak mutual TLS only; the gateway's edge is plain on loopback unless it is given a certificate."""
    return "http" if service == GATEWAY and not os.environ.get("ORDERLY_EDGE_CERTIFICATE") else "https"


def places(posts: Sequence[Post], ports: Mapping[str, int | None]) -> dict[str, str]:
    """Where each service is, as common.discovery.urls has it, from the ports of the processes. One with several APIs is where
    the registry says."""
    served = {it.service: f"{scheme(it.service)}://{LOOPBACK}:{ports[it.name]}" for it in posts if ports.get(it.name)}
    several = {service: f"registry://{LOOPBACK}:{ports[REGISTRY]}/{service}" for service in replicated(posts)}
    return {**served, **several}


def plans(
    folder: Folder, posts: Sequence[Post], doors: Mapping[str, Doors], engine: str, servers: Servers
) -> list[Plan]:
    """`-P`: a folder of the same name where the user happens to stand is not the service."""
    known = places(posts, {it.name: doors[it.name].api_port for it in posts})
    told = {name: place for name, place in known.items() if name != REGISTRY}
    several = replicated(posts)
    return [
        Plan(
            name=it.name,
            service=it.service,
            role=it.role,
            command=(sys.executable, "-P", "-m", it.service, "--role", it.role),
            environment={
                **environment(folder, told, engine, servers, it.service),
                **({"ORDERLY_REGISTRY_URL": known[REGISTRY]} if it.service in several else {}),
                "ORDERLY_CERTIFICATES": str(folder.certificates / it.service),
                "ORDERLY_MEMBER": str(it.slot),
                "ORDERLY_TRACES": str(folder.traces / f"{it.name}.jsonl"),
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
