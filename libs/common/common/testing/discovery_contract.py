"""The laws of discovery, as a test suite that every adapter passes.

class TestMyDiscovery(DiscoveryContract):
    @pytest.fixture
    async def site(self) -> AsyncIterator[Site]: ...
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence

from common.discovery import Discovery, Endpoint

WITHIN = 20.0  # seconds that anything may take


class Site(ABC):
    """A place where endpoints come and go, and what finds out about them."""

    @abstractmethod
    def discovery(self) -> Discovery: ...

    @abstractmethod
    def address(self, number: int) -> str:
        """Of the endpoint with this number, 1 to 9."""

    @abstractmethod
    async def add(self, number: int) -> None: ...

    @abstractmethod
    async def remove(self, number: int) -> None: ...

    @abstractmethod
    async def cut(self) -> None:
        """From now on nobody can find out."""

    @abstractmethod
    async def mend(self) -> None: ...

    async def hide(self, number: int) -> None:
        """It is there, and not ready. Sites that know no such thing remove it."""
        await self.remove(number)


class Watcher:
    """Holds the last list."""

    def __init__(self, discovery: Discovery) -> None:
        self.lists: list[Sequence[Endpoint]] = []
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._watch(discovery))

    async def _watch(self, discovery: Discovery) -> None:
        async for endpoints in discovery.watch():
            async with self._news:
                self.lists.append(endpoints)
                self._news.notify_all()

    async def sees(self, *addresses: str, within: float = WITHIN) -> Sequence[Endpoint]:
        """Return when exactly these are ready."""
        return await self.until(lambda: self.ready() == sorted(addresses), within)

    async def until(self, holds: Callable[[], bool], within: float = WITHIN) -> Sequence[Endpoint]:
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(holds)
        return self.lists[-1]

    def ready(self) -> list[str] | None:
        return [it.address for it in self.lists[-1] if it.ready] if self.lists else None

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@contextlib.asynccontextmanager
async def watching(site: Site) -> AsyncIterator[Watcher]:
    watcher = Watcher(site.discovery())
    try:
        yield watcher
    finally:
        await watcher.close()


class DiscoveryContract:
    """All laws. Subclasses give the `site`."""

    async def test_the_first_list_is_what_there_is(self, site: Site) -> None:
        for number in (3, 1, 2):
            await site.add(number)
        async with watching(site) as watcher:
            found = await watcher.sees(*(site.address(number) for number in (1, 2, 3)))
            assert [it.address for it in found] == sorted(it.address for it in found)

    async def test_a_new_endpoint_is_seen_and_one_that_goes_is_not_ready_any_more(self, site: Site) -> None:
        await site.add(1)
        async with watching(site) as watcher:
            await watcher.sees(site.address(1))
            await site.add(2)
            await watcher.sees(site.address(1), site.address(2))
            await site.remove(1)
            await watcher.sees(site.address(2))
            await site.hide(2)
            await watcher.sees()

    async def test_no_news_is_told_when_there_is_none(self, site: Site) -> None:
        await site.add(1)
        async with watching(site) as watcher:
            await watcher.sees(site.address(1))
            await asyncio.sleep(1.5)
            assert len(watcher.lists) == 1

    async def test_the_last_list_stands_while_nobody_can_find_out(self, site: Site) -> None:
        await site.add(1)
        async with watching(site) as watcher:
            await watcher.sees(site.address(1))
            await site.cut()
            await asyncio.sleep(1.5)
            assert watcher.ready() == [site.address(1)]
            await site.mend()
            await site.add(2)
            await watcher.sees(site.address(1), site.address(2))

    async def test_who_starts_while_nobody_can_find_out_finds_out_later(self, site: Site) -> None:
        await site.add(1)
        await site.cut()
        async with watching(site) as watcher:
            await asyncio.sleep(0.5)
            assert watcher.lists == []
            await site.mend()
            await watcher.sees(site.address(1))
