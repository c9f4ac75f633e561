"""The rule by which a commit shows that its member is one still."""

import re
from pathlib import Path

SOURCES = Path(__file__).parents[2]
KAFKA = SOURCES / "libs/common/common/eventlog/kafka"


def uses(pattern: str, where: Path) -> list[str]:
    return [
        f"{path.name}: {line.strip()}"
        for path in sorted(where.rglob("*.py"))
        for line in path.read_text().splitlines()
        if re.search(pattern, line)
    ]


def test_a_ticket_is_taken_in_one_place_and_a_commit_never_joins() -> None:
    """A ticket of a life that began after the poll would let a zombie commit what another member owns (KIP-447)."""
    assert uses(r"\.ticket\(\)", KAFKA) == ["consumer.py: ticket = self._membership.ticket()"]
    assert uses(r"\._join\(", KAFKA) == ["membership.py: await self._join()"]  # in `keep`
    assert uses(r"\.keep\(", KAFKA) == ["consumer.py: await membership.keep(assignment.busy)"]  # in `_keep_up`
    assert uses(r"\._keep_up\(", KAFKA) == ["consumer.py: gained, lost = await self._keep_up()"]  # in `_poll`


def test_nobody_asks_the_client_library_for_its_group() -> None:
    for place in ("libs", "services"):
        assert not uses(r"group_metadata|from kafka import .*Kafka(Consumer|Producer)", SOURCES / place)
