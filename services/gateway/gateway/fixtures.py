"""A pytest plugin: one gateway for the tests of a module, which remembers nothing of the one before."""

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
