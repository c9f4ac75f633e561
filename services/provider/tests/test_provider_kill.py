"""The provider, killed with -9 again and again in the middle of its work: what it answered is in its ledger, and stays."""

import asyncio
import itertools
import json
import os
import random
import socket
import ssl
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.testing.certificates import Certificates
from common.testing.http import Address

KILLS = 20
MERCHANTS = 8
COMMAND = (sys.executable, "-P", "-m", "provider")


@dataclass
class Shop:
    """Asks until it is answered, each operation under its own key, captures under two."""

    address: Address
    answers: dict[str, bytes] = field(default_factory=dict)
    closed: bool = False

    async def trade(self, name: str, chance: random.Random) -> None:
        for number in itertools.count():
            if self.closed:
                return
            reference = f"{name}-{number}"
            body = {"reference": reference, "amount": 100 + number, "currency": "EUR", "token": "tok_ok"}
            await self.ask("/v1/authorizations", f"{reference}/authorize", json.dumps(body).encode())
            path = f"/v1/authorizations/{reference}"
            if chance.random() < 0.2:
                await self.ask(f"{path}/void", f"{reference}/void")
            await asyncio.gather(*(self.ask(f"{path}/capture", f"{reference}/capture/{twin}") for twin in "ab"))

    async def ask(self, path: str, key: str, body: bytes = b"") -> None:
        headers = {"idempotency-key": key, "content-type": "application/json"}
        while key not in self.answers and not self.closed:
            try:
                reply = await self.address.request("POST", path, headers, body)
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, ssl.SSLError):
                continue
            assert reply.status == 200, reply.body
            self.answers[key] = reply.body


def start(listening: socket.socket, admin: socket.socket, data: Path, certificates: Path) -> subprocess.Popen[bytes]:
    told = {"ORDERLY_DATA": str(data), "ORDERLY_CERTIFICATES": str(certificates)}
    doors = {"ORDERLY_API_FD": str(listening.fileno()), "ORDERLY_ADMIN_FD": str(admin.fileno())}
    return subprocess.Popen(
        COMMAND,
        env={**os.environ, **told, **doors},
        pass_fds=(listening.fileno(), admin.fileno()),
        stdout=subprocess.DEVNULL,
    )


def print_ledger(data: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run((*COMMAND, "ledger", "--data", str(data)), capture_output=True, timeout=30)


def listener() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen(128)
    return found


@pytest.mark.process
@pytest.mark.timeout(180)
async def test_what_was_answered_survives_every_kill(tmp_path: Path) -> None:
    chance = random.Random(20)
    certificates = Certificates(tmp_path / "certs")
    shown = certificates.publish("provider")
    context = certificates.credentials("payment").client("provider")
    with listener() as listening, listener() as admin:
        shop = Shop(Address(listening.getsockname()[1], "https", context))
        trading = [asyncio.create_task(shop.trade(f"m{n}", random.Random(n))) for n in range(MERCHANTS)]
        for _ in range(KILLS):
            already = len(shop.answers)
            process = start(listening, admin, tmp_path, shown)
            try:
                while len(shop.answers) == already:
                    assert process.poll() is None
                    for task in trading:
                        if task.done():
                            task.result()  # it never ends well
                    await asyncio.sleep(0.01)
                await asyncio.sleep(chance.uniform(0.0, 0.2))
            finally:
                process.kill()
                process.wait()
        shop.closed = True
    await asyncio.gather(*trading)  # with nobody listening any more, every question ends
    printed = await asyncio.to_thread(print_ledger, tmp_path)
    entries = {json.loads(line)["key"]: line for line in printed.stdout.splitlines()}
    assert len(shop.answers) > 10 * KILLS
    assert {key: entries.get(key) for key in shop.answers} == shop.answers
    captured = Counter(
        entry["reference"]
        for entry in map(json.loads, entries.values())
        if entry["operation"] == "capture" and entry["result"] == "done"
    )
    assert captured and set(captured.values()) == {1}


def test_a_ledger_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    printed = print_ledger(tmp_path)
    assert printed.returncode == 2 and b"there is no ledger" in printed.stderr and not printed.stdout
