"""What a member of a group owns, where it reads, and what it handed out but has not committed. No I/O: for every engine."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from common.errors import LogError
from common.eventlog.port import Stored
from common.eventlog.turns import in_turn

Fetch = Callable[[int, int, int], tuple[Sequence[Stored], int]]  # partition, offset, limit -> records, where to go on


def shares(owned: Mapping[int, int], partitions: int) -> Mapping[int, int]:
    """How many partitions each live session should own, given how many it owns now.

    Even, and sticky: those who own most keep the odd ones, so that a group at rest stays at rest.
    """
    ranked = sorted(owned, key=lambda session: (-owned[session], session))
    each, odd = divmod(partitions, len(ranked))
    return {session: each + (rank < odd) for rank, session in enumerate(ranked)}


class Move(NamedTuple):
    """What one session gives and takes. It owes when it should give more, but has work in hand there."""

    given: Sequence[int]
    taken: Sequence[int]
    owes: bool


def rebalance(owners: Mapping[int, int | None], sessions: Iterable[int], me: int, busy: Set[int]) -> Move:
    """The step of `me` toward even shares. `owners`: every partition's live session, None where it is free."""
    owned = Counter(dict.fromkeys(sessions, 0))
    owned.update(session for session in owners.values() if session is not None)
    surplus = owned[me] - shares(owned, len(owners))[me]
    idle = [partition for partition, session in owners.items() if session == me and partition not in busy]
    free = [partition for partition, session in owners.items() if session is None]
    given = idle[: max(0, surplus)]
    return Move(given, free[: max(0, -surplus)], owes=surplus > len(given))


class Assignment:
    """The partitions of one member. An abort takes it back to the last commit without asking the log."""

    def __init__(self) -> None:
        self._positions: dict[int, int] = {}  # owned partition -> next offset to read
        self._handed_out: dict[int, tuple[int, int]] = {}  # since the last commit: first offset, where to go on
        self._turn = 0

    @property
    def owned(self) -> frozenset[int]:
        return frozenset(self._positions)

    @property
    def positions(self) -> Mapping[int, int]:
        """Owned partition -> the next offset to read."""
        return self._positions

    @property
    def busy(self) -> frozenset[int]:
        """Owned, with input handed out that is not committed: not to be given away."""
        return frozenset(self._handed_out)

    @property
    def uncommitted(self) -> Mapping[int, int]:
        """Partition -> the offset that a commit moves the group to."""
        return {partition: after for partition, (_, after) in self._handed_out.items()}

    def update(self, owned: Mapping[int, int], *, anew: bool) -> tuple[list[int], list[int]]:
        """Take over what the log says is owned now (partition -> committed offset). Returns (gained, lost).

        `anew`: the member joined the group again, so that nothing it knew still counts.
        """
        lost = [partition for partition in self._positions if anew or partition not in owned]
        for partition in lost:
            del self._positions[partition]
            self._handed_out.pop(partition, None)
        gained = [partition for partition in owned if partition not in self._positions]
        self._positions.update((partition, owned[partition]) for partition in gained)
        return gained, lost

    def read(self, ends: Mapping[int, int], limit: int, fetch: Fetch) -> list[Stored]:
        """Hand out what lies before `ends`. When `fetch` raises, nothing was handed out."""

        def hand_out(partition: int, room: int) -> Sequence[Stored]:
            position = self._positions[partition]
            records, self._positions[partition] = fetch(partition, position, room)
            if records:
                first, _ = self._handed_out.get(partition, (position, 0))
                self._handed_out[partition] = (first, self._positions[partition])
            return records

        self._turn += 1
        behind = [partition for partition, position in self._positions.items() if position < ends[partition]]
        before = dict(self._positions), dict(self._handed_out)
        try:
            return in_turn(behind, self._turn, limit, hand_out)
        except BaseException:
            self._positions, self._handed_out = before
            raise

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._positions:
            raise LogError(f"seek: partition {partition} is not owned; seek after it was gained, before it is lost")
        self._positions[partition] = offset

    def committed(self) -> None:
        self._handed_out.clear()

    def rewind(self) -> None:
        """Read again what was handed out."""
        for partition, (first, _) in self._handed_out.items():
            self._positions[partition] = first
        self._handed_out.clear()
