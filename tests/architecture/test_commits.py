"""The rules by which a commit shows that its member is one still: a ticket is taken in one place, at one moment."""

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


def test_a_ticket_is_taken_once_before_the_commit_and_never_after_waiting() -> None:
    """After a rebalance it would let a zombie commit what another member owns (KIP-447). Only a poll moves it."""
    assert uses(r"\.ticket\(\)", KAFKA) == ["consumer.py: ticket = self._membership.ticket()"]
    text = (KAFKA / "consumer.py").read_text()
    commit = text[text.index("async def _commit") : text.index("async def _poll")]
    assert "await" not in commit[: commit.index("self._membership.ticket()")]


def test_nobody_asks_the_client_library_for_its_group() -> None:
    for place in ("libs", "services"):
        assert not uses(r"group_metadata|from kafka import .*Kafka(Consumer|Producer)", SOURCES / place)
