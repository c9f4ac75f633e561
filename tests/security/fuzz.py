"""schemathesis against a running gateway: `python -m tests.security.fuzz`, or `make fuzz`.

Every operation of /openapi.json gets requests that its schema allows and requests that it does not, one by one and in sequences
along its links, and each answer is held to what the document says. All checks are on; what it is told here is what a schema
cannot say. The platform is one of its own, and ends with it.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from system import System
from target import Client

EXAMPLES = 10  # of each operation and each phase
SEED = 1
WITHIN = 300.0  # seconds, for a machine that has much else to do; alone it takes half a minute
SKU = "tea"

TOLD = """
hooks = "fuzz_hooks"
request-timeout = 30
max-stream-events = 3 # the stream of an order that is under way has no end

[headers]
Authorization = {alice}

# Opaque words are taken back as they were given, and no others: these were given.
[parameters]
"header.Consistency-Token" = {token}

[dictionaries.sold]
values = ["tea"]

[dictionaries.cards]
values = ["tok_ok", "tok_declined", "tok_slow", "tok_lost", "tok_error", "tok_refund_fails"]

[[operations]]
include-operation-id = ["list_orders"]
parameters = {{ "query.cursor" = {orders} }}

[[operations]]
include-operation-id = ["list_products"]
parameters = {{ "query.cursor" = {products} }}

[[operations]]
include-operation-id = ["read_audit"]
headers = {{ Authorization = {auditor} }}
parameters = {{ "query.cursor" = {audit} }}

[[operations]]
include-operation-id = ["put_product"]
headers = {{ Authorization = {operator} }}

# 400 of what is well-formed: an application or an address that nobody has registered, and two ways to authenticate.
[[operations]]
include-operation-id = ["authorize", "log_in", "revoke"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 429, 503]

# 422 of what is well-formed: a key that was used for something else,
[[operations]]
include-operation-id = ["receive_stock"]
headers = {{ Authorization = {operator} }}
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429, 503]

# and a product that nobody sells.
[[operations]]
include-operation-id = ["place_order"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 409, 422, 429, 503]

[operations.parameters]
"body.lines[*].sku" = {{ dictionary = "sold", probability = 0.7 }}
"body.payment_token" = {{ dictionary = "cards", probability = 0.7 }}
"""


def run(
    system: System, folder: Path, *, examples: int = EXAMPLES, seed: int = SEED, said: int | None = None
) -> subprocess.CompletedProcess[str]:
    """One run against this platform. Its exit code is 0 where nothing was found. `said`: where its words go, else on."""
    config = folder / "schemathesis.toml"
    config.touch(mode=0o600)
    config.write_text(TOLD.format(**{name: json.dumps(word) for name, word in asyncio.run(_given(system)).items()}))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{system.base_url}/openapi.json", "--seed", str(seed), "--max-examples", str(examples)]
    # one: in Python before 3.11.8 two threads that parse source at once may fail (github.com/python/cpython/issues/106905)
    command += ["--workers", "1", "--continue-on-failure", *(["--no-color"] if said else [])]
    hooks = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(
        command, cwd=folder, env=hooks, stdout=said, stderr=said, text=True, timeout=WITHIN, check=False
    )


async def _given(system: System) -> dict[str, str]:
    """What nobody can make up: tokens, cursors."""
    found = {name: f"Bearer {system.token(name)}" for name in ("alice", "operator", "auditor")}
    await system.once(SKU, 1_000_000)
    await system.stock("mug", 0)
    async with system.client("alice") as alice:
        for key in ("one", "two"):
            body = {"lines": [{"sku": SKU, "quantity": 1}], "payment_token": "tok_ok"}
            _, order, headers = await alice.call("POST", "/v1/orders", body, {"Idempotency-Key": key})
            await alice.final(order["order_id"])
            found["token"] = headers["Consistency-Token"]
            await alice.call("PUT", f"/v1/products/{SKU}", {})  # denied, so that there is something to audit
        for what in ("orders", "products"):
            found[what] = await _cursor(alice, what)
    async with system.client("auditor") as auditor:
        found["audit"] = await _cursor(auditor, "audit")
    return found


async def _cursor(client: Client, what: str) -> str:
    """Of the second page, when there is one."""
    async with asyncio.timeout(60):
        while True:
            _, page, _ = await client.call("GET", f"/v1/{what}?limit=1")
            if cursor := page.get("next_cursor"):
                return str(cursor)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="of each operation, in each phase (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        system = System(Path(temporary) / "data")
        try:
            print("starting a platform", flush=True)
            system.up()
            return run(system, Path(temporary), examples=chosen.examples, seed=chosen.seed).returncode
        finally:
            system.down()


if __name__ == "__main__":
    sys.exit(main())
