"""A platform that somebody else runs, in a cluster for one: the environment says where, and nothing is started or stopped.

ORDERLY_URL              its gateway, for whatever asks by the public API
ORDERLY_ENGINE           its engine, with ORDERLY_KAFKA_… and ORDERLY_REDIS_URL as for a service
ORDERLY_PROVIDER_URL     its provider, whose ledger ORDERLY_CERTIFICATES open if they speak for the verifier
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec

from common.errors import OrderlyError
from common.http_pool import Pool
from common.security.credentials import Credentials
from common.topology import PROVIDER, VERIFIER
from laws import OperationRow
from orderly.failure import NOT_RUNNING, Failure

PAGE, LARGEST = 100, 1 << 20  # entries, bytes


def provider() -> str:
    return os.environ.get("ORDERLY_PROVIDER_URL", "")


def ledger() -> Iterator[OperationRow]:
    """The provider's ledger by its own account, as far as it goes now. Raises Failure."""
    try:
        rows = asyncio.run(_ledger())
    except (OrderlyError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Failure(f"the provider's ledger at {provider()}: {error}", code=NOT_RUNNING) from None
    yield from cast(list[OperationRow], rows)


async def _ledger() -> list[dict[str, Any]]:
    folder = os.environ.get("ORDERLY_CERTIFICATES")
    credentials = Credentials.of(VERIFIER, Path(folder) if folder else None)
    pool = Pool(LARGEST, context=credentials.client(PROVIDER))
    rows: list[dict[str, Any]] = []
    cursor = ""
    try:
        while True:
            answer = await pool.ask(provider(), "GET", f"/v1/ledger?limit={PAGE}{cursor}", {}, b"")
            if answer.status != 200:
                raise Failure(f"the provider's ledger at {provider()}: it answers {answer.status}", code=NOT_RUNNING)
            page = msgspec.json.decode(answer.body)
            rows += page["items"]
            if page["next_cursor"] is None:
                return rows
            cursor = f"&cursor={page['next_cursor']}"
    finally:
        await pool.close()
