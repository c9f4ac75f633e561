"""The shelf of ids that count no more, on either store: one of all gateways is the first, and all of them know."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import Unavailable
from common.testing.eventually import eventually
from gateway import spent
from gateway.spent import Shelf, Spent
from gateway.spent_redis import RedisShelf
from gateway.spent_sqlite import SqliteShelf
from orderly.backing.private import RedisServer

SOON = 1_000


class Time:
    now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def shelf(request: Any, tmp_path: Path) -> Iterator[Callable[[], Shelf]]:
    """One that is opened anew, as another process would."""
    if request.param == "sqlite":
        yield lambda: SqliteShelf(tmp_path / "spent.db")
        return
    with contextlib.closing(RedisServer.start(tmp_path)) as server:
        yield lambda: RedisShelf(server.url)


@pytest.fixture
async def gateways(
    shelf: Callable[[], Shelf], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Spent, Spent, Time]]:
    monkeypatch.setattr(spent, "LOOK_EVERY", 0.05)
    time = Time()
    one, other = Spent(shelf(), time), Spent(shelf(), time)
    yield one, other, time
    await one.close()
    await other.close()


async def test_the_first_of_all_who_add_it_is_told(gateways: tuple[Spent, Spent, Time]) -> None:
    one, other, _ = gateways
    assert [await it.add("code", SOON) for it in (one, other, one)] == [True, False, False]


async def test_what_one_gateway_adds_all_know(gateways: tuple[Spent, Spent, Time]) -> None:
    one, other, _ = gateways
    await one.add("token", SOON)
    assert "token" in one and "token" not in other
    await other.look()
    assert "token" in other and "another" not in other


async def test_they_look_by_themselves(gateways: tuple[Spent, Spent, Time]) -> None:
    one, other, _ = gateways
    await other.start()
    await one.add("token", SOON)
    await asyncio.to_thread(eventually, lambda: "token" in other, within=30)


async def test_what_has_expired_is_forgotten_everywhere(
    gateways: tuple[Spent, Spent, Time], shelf: Callable[[], Shelf]
) -> None:
    one, _, time = gateways
    await one.add("token", SOON)
    await one.add("later", 2 * SOON)
    time.now = SOON
    await one.look()
    assert "token" not in one and "later" in one
    again = shelf()
    assert dict(await again.all(0)) == {"later": 2 * SOON}
    await again.close()


async def test_what_the_shelf_has_lost_is_put_there_again(tmp_path: Path) -> None:
    one = Spent(SqliteShelf(tmp_path / "spent.db"), Time())
    await one.add("token", SOON)
    two = SqliteShelf(tmp_path / "spent.db")
    assert await two.all(SOON) == {}  # takes it away
    await one.look()
    assert await two.all(0) == {"token": SOON}
    await one.close()
    await two.close()


async def test_without_the_shelf_what_is_known_goes_on() -> None:
    one = Spent(RedisShelf("redis://127.0.0.1:1"), Time())
    with pytest.raises(Unavailable):
        await one.add("token", SOON)
    with pytest.raises(Unavailable):
        await one.look()
    assert "token" in one
    await one.close()
