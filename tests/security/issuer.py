"""A second issuer, as a process of its own: a gateway that nobody asks for anything but tokens and keys."""

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from common.clock import HOUR, MINUTE, system_clock
from common.security import keyring
from common.testing.certificates import Certificates
from common.testing.eventually import eventually
from common.topology import GATEWAY

NOBODY = "http://127.0.0.1:1"


@dataclass
class Issuer:
    url: str
    keys: Path
    process: "subprocess.Popen[bytes]"
    port: int
    admin_port: int

    def token(self, client: str) -> str:
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": f"{client}-secret"}
        answer = self._ask(self.port, "POST", "/oauth/token", urlencode(form))
        return str(json.loads(answer)["access_token"])

    def signs_with(self) -> str:
        head = self.token("alice").partition(".")[0]
        return str(json.loads(base64.urlsafe_b64decode(head + "=="))["kid"])

    def fetches(self) -> int:
        """Of its key set, so far."""
        text = self._ask(self.admin_port, "GET", "/metrics").decode()
        counted = re.findall(r'^orderly_http_requests_total\{.*route="/.well-known/jwks.json".*\} (\S+)', text, re.M)
        return sum(int(float(it)) for it in counted)

    def rotate(self) -> None:
        """By a key that is two minutes old already: it signs as soon as it is seen."""
        before = self.signs_with()
        keyring.make(self.keys, system_clock() - keyring.SIGNS_AFTER)
        eventually(lambda: self.signs_with() != before, within=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return bool(self._ask(self.admin_port, "GET", "/livez"))
        return False

    def _ask(self, port: int, method: str, path: str, form: str = "") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        with contextlib.closing(connection):
            connection.request(method, path, form or None, headers)
            answer = connection.getresponse()
            body = answer.read()
        assert answer.status == 200, (answer.status, body)
        return body


@contextlib.contextmanager
def issuer(folder: Path) -> Iterator[Issuer]:
    api, admin = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    port, keys = api.getsockname()[1], folder / "keys"
    keys.mkdir(parents=True)
    keyring.make(keys, system_clock() - HOUR - MINUTE)
    told: dict[str, Any] = {
        "DATA": folder,
        "CERTIFICATES": Certificates(folder / "certs").publish(GATEWAY),
        "GATEWAY_URL": f"http://127.0.0.1:{port}",
        "ISSUER_KEYS": keys,
        "API_FD": api.fileno(),
        "ADMIN_FD": admin.fileno(),
        "RATE_LIMIT": "off",
        **{f"{service}_URL": NOBODY for service in ("ORDER", "PAYMENT", "INVENTORY")},
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", GATEWAY],
        env={**os.environ, **{f"ORDERLY_{name}": str(value) for name, value in told.items()}},
        pass_fds=(api.fileno(), admin.fileno()),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made = Issuer(told["GATEWAY_URL"], keys, process, port, admin.getsockname()[1])
    api.close()
    admin.close()
    try:
        eventually(made.answers, within=60)
        yield made
    finally:
        made.kill()
