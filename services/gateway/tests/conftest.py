"""One gateway for all tests of a module, whose service remembers nothing of the test before."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.testing import Edge, edge


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared() -> AsyncIterator[Edge]:
    async with edge() as it:
        yield it


@pytest.fixture
def gateway(shared: Edge) -> Edge:
    shared.service.forget()
    return shared
