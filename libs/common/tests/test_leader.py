"""The lease in a file keeps the laws of the port; a leader believes no longer than its lease says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.errors import Unavailable
from common.leader import Election, Lease, lease
from common.leader.by_sqlite import SqliteLease
from common.testing.lease_contract import LeaseContract


class TestSqliteLease(LeaseContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[Callable[[], Lease]]:
        leases: list[SqliteLease] = []

        def open_() -> Lease:
            leases.append(SqliteLease(tmp_path / "leases.db", "auditor"))
            return leases[-1]

        yield open_
        for each in leases:
            each._connection.close()


class Told(Lease):
    """Answers as the test says."""

    answer: int | Exception | None = 7

    async def take(self, holder: str, seconds: int) -> int | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def holder(self) -> str | None:
        return None

    async def release(self, holder: str) -> None:
        self.answer = None

    async def close(self) -> None:
        """Holds nothing."""


async def test_a_leader_that_cannot_renew_stops_before_others_may_begin() -> None:
    now, told = 100.0, Told()
    election = Election(told, "me", 10, lambda: now)
    assert await election.step() == 7
    told.answer = Unavailable("away")
    now = 107.9
    assert await election.step() == 7
    now = 108.1
    assert await election.step() is None
    told.answer = 9
    assert await election.step() == 9


async def test_who_resigned_does_not_lead_any_more() -> None:
    election = Election(told := Told(), "me", 10)
    await election.step()
    await election.resign()
    assert (election.token, told.answer) == (None, None)


async def test_leases_of_different_names_have_different_holders(tmp_path: Path) -> None:
    one, other = lease("one", tmp_path), lease("other", tmp_path)
    assert (await one.take("a", 60), await other.take("b", 60)) == (1, 1)
    for each in (one, other):
        await each.close()


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        SqliteLease(tmp_path / "nowhere" / "leases.db", "auditor")
