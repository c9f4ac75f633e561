"""What it costs to keep what is personal sealed, and the evidence anchored: CPU time of each step, in this process alone.

.venv/bin/python bench/vault.py
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import topology
from common.eventlog import Record
from common.eventlog.embedded import EmbeddedLog
from common.testing.vaults import vault_in
from orderly.anchors import Anchors
from orderly.evidence import streams

TIMES = 5_000
RECORDS = 20_000
TEXT = '{"name":"Ada Lovelace","email":"ada@example.org","address":"12 St James\'s Square, London"}'


def cpu(work: Callable[[], Any], times: int = 1) -> float:
    """Microseconds for each time."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def sealing(folder: Path) -> None:
    vault = vault_in(folder)
    cipher = asyncio.run(vault.cipher("alice"))
    for number in range(1_000):
        asyncio.run(vault.cipher(f"customer-{number}"))
    sealed = cipher.seal(TEXT, "o1", "delivery")
    print(f"look up a key      {cpu(lambda: vault._find('customer', 'alice'), TIMES):6.1f} µs")
    print(f"seal a text        {cpu(lambda: cipher.seal(TEXT, 'o1', 'delivery'), TIMES):6.1f} µs")
    print(f"fingerprint        {cpu(lambda: cipher.fingerprint(TEXT.encode()), TIMES):6.1f} µs")
    print(f"look up and open   {cpu(lambda: vault.unseal(sealed, 'o1', 'delivery'), TIMES):6.1f} µs")
    vault.close()


def anchoring(folder: Path) -> None:
    log = EmbeddedLog(folder / "log.db")
    log.create(topology.topics())
    topic, headers = topology.events("order"), {"type": "OrderPlaced", "actor": "alice", "traceparent": "0" * 55}
    log.append([Record(topic, f"ord_{number}", b"x" * 700, headers) for number in range(RECORDS)]).result()
    anchors, evidence = Anchors(folder / "anchors.jsonl", b"k" * 32), streams(log, folder / "acts.jsonl")
    print(f"anchor a record    {cpu(lambda: anchors.add(evidence, 1)) / RECORDS:6.1f} µs")
    print(f"verify a record    {cpu(lambda: anchors.check(evidence)) / RECORDS:6.1f} µs")
    print(f"nothing to anchor  {cpu(lambda: anchors.add(evidence, 2)):6.1f} µs")
    log.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sealing(Path(folder))
        anchoring(Path(folder))
