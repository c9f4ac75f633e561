"""A group of the memory log: members, owners, offsets. The store's lock guards it."""

from collections.abc import Set

from common.errors import Fenced
from common.eventlog.assignment import rebalance


class Group:
    """A session is one life of a member; `generation` grows whenever members or owners change."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.offsets: dict[int, int] = {}
        self.generation = 0
        self._members: dict[str, int] = {}  # name -> session
        self._owners: dict[int, int] = {}  # partition -> session

    def session_of(self, member: str) -> int | None:
        return self._members.get(member)

    def join(self, member: str, session: int) -> None:
        """A predecessor of the same name is fenced, and what it owned is handed on."""
        predecessor = self._members.get(member)
        self._members[member] = session
        self._owners = {p: session if owner == predecessor else owner for p, owner in self._owners.items()}
        self.generation += 1

    def remove(self, member: str) -> None:
        session = self._members.pop(member, None)
        self._owners = {p: owner for p, owner in self._owners.items() if owner != session}
        self.generation += 1

    def owned_by(self, session: int) -> dict[int, int]:
        """Partition -> committed offset."""
        return {p: self.offsets.get(p, 0) for p, owner in sorted(self._owners.items()) if owner == session}

    def balance(self, session: int, busy: Set[int]) -> bool:
        """A step toward even shares; nothing that is busy is given away. Returns whether that leaves nothing to be done."""
        owners = {partition: self._owners.get(partition) for partition in range(self.partitions)}
        move = rebalance(owners, self._members.values(), session, busy)
        for partition in move.given:
            del self._owners[partition]
        self._owners.update(dict.fromkeys(move.taken, session))
        self.generation += bool(move.given or move.taken)
        return not move.owes

    def check(self, session: int, owned: Set[int], member: str) -> None:
        """A member that owns nothing has nothing to write for."""
        if not owned or any(self._owners.get(partition) != session for partition in owned):
            raise Fenced(f"{member}: another owner has its partitions; nothing was written, the next poll joins again")
