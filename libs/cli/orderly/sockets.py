"""Listening sockets that outlive the services behind them: connections queue while a service restarts."""

import os
import random
import socket
from itertools import islice

from orderly.failure import Failure

LOOPBACK = "127.0.0.1"
FIRST_CHOICE = 8080
BACKLOG = 1024
PORTS = "ORDERLY_PORTS"
BELOW_OUTGOING = "15000-31999"  # Linux gives outgoing connections 32768 and more


def listen(port: int = 0) -> socket.socket:
    """On loopback only. Port 0: any free one. Raises OSError where it is taken. Children may inherit it."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.set_inheritable(True)
    return listening


def port_of(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port


def listen_for_clients(wanted: int | None, remembered: int | None) -> socket.socket:
    """The gateway's: exactly the wanted port, else the one of the last run, else the usual one, else any."""
    if wanted:
        try:
            return listen(wanted)
        except (OSError, OverflowError) as error:
            raise Failure(f"cannot listen on port {wanted}: {error}", "choose another: --port N") from None
    for port in (remembered, FIRST_CHOICE):
        if port:
            try:
                return listen(port)
            except (OSError, OverflowError):
                continue  # taken by somebody else: it was a preference only
    return listen()


def free_ports(count: int) -> list[int]:
    """Different ones that nobody listens on, out of $ORDERLY_PORTS, for servers that come back on them: no outgoing connection
    should be given one meanwhile. Raises Failure where there are not as many."""
    told = os.environ.get(PORTS, BELOW_OUTGOING)
    try:
        first, last = map(int, told.split("-"))
        ports = range(first, last + 1)
        start = random.randrange(len(ports))
    except ValueError:
        raise Failure(f"{PORTS}={told} is no range of ports", f"write it so: {PORTS}={BELOW_OUTGOING}") from None
    found = list(islice(filter(is_free, (*ports[start:], *ports[:start])), count))
    if len(found) < count:
        raise Failure(
            f"of the ports {told} only {len(found)} are free, not {count}", f"name others: {PORTS}=FIRST-LAST"
        )
    return found


def is_free(port: int) -> bool:
    try:
        listen(port).close()
    except (OSError, OverflowError):
        return False
    return True


class Doors:
    """The listening sockets of one process: its API, which it may share or not have, and health and metrics."""

    def __init__(self, api: socket.socket | None, admin: socket.socket) -> None:
        self._api, self._admin = api, admin
        self.api_port = None if api is None else port_of(api)
        self.admin_port = port_of(admin)

    @property
    def fds(self) -> dict[str, int]:
        """By the variable that tells a service of it."""
        admin = {"ORDERLY_ADMIN_FD": self._admin.fileno()}
        return admin if self._api is None else {"ORDERLY_API_FD": self._api.fileno(), **admin}

    def close_api(self) -> None:
        """New connections are refused once the service has closed its own end too."""
        if self._api is not None:
            self._api.close()

    def close(self) -> None:
        self.close_api()
        self._admin.close()
