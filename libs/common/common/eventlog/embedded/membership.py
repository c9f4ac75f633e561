"""Who owns which partition in a group: leases, take-over, and an even share for everybody.

A session is one life of a member. A partition belongs to the session that its row names, as long as that session is in the
table of members; whoever was silent for longer than its lease is removed from there by the others. A transaction is fenced by
reading the rows again under the write lock. `generation` grows with every change, so that a poll sees with one row whether
there is anything to do.

Leases are measured on the machine's monotonic clock, which all its processes share: setting the wall clock ends no lease.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence, Set

from common.clock import Millis
from common.errors import Fenced
from common.eventlog.assignment import Move, rebalance
from common.eventlog.embedded.catalog import Place
from common.eventlog.embedded.database import Database
from common.eventlog.embedded.notify import Notifier

_UNSETTLED = -1  # no group has this generation
_ALIVE = "expires > :now AND expires <= :now + lease"  # the second half fails when the machine was restarted since


class Membership:
    """One member's place in its group. `session` is 0 while it has none."""

    def __init__(
        self, database: Database, notifier: Notifier, places: Sequence[Place], group: str, member: str, lease: Millis
    ) -> None:
        self.renew_at = 0.0  # monotonic seconds
        self._database = database
        self._notifier = notifier
        self._topic_id = places[0].topic_id
        self._partitions = len(places)
        self._group = group
        self._group_id = 0
        self._member = member
        self._lease = lease
        self._session = 0
        self._last_session = 0
        self._generation = _UNSETTLED

    def settled(self, sql: sqlite3.Connection) -> bool:
        """Whether the group is as it was at the last `keep`, and the lease needs no renewal yet."""
        if time.monotonic() >= self.renew_at:
            return False
        (generation,) = sql.execute("SELECT generation FROM groups WHERE id=?", (self._group_id,)).fetchone()
        return bool(generation == self._generation)

    def keep(self, busy: Set[int]) -> tuple[Mapping[int, int], bool]:
        """Join or renew, remove the dead, give or take partitions; but give away none that is busy.

        Returns what is owned now (partition -> committed offset), and whether this is another session than before. Needs no
        fsync: after a power failure nobody is a member of anything.
        """
        started = time.monotonic()
        now = int(started * 1000)
        owned: Mapping[int, int] = {}
        move = Move((), (), owes=False)
        with self._database.writing(durable=False) as sql:
            session = self._renew(sql, now) or self._join(sql, now)
            changed = self._bury(sql, now) or session != self._session
            if session:
                owned, move = self._balance(sql, session, busy)
            if changed or move.given or move.taken:
                sql.execute("UPDATE groups SET generation=generation+1 WHERE id=?", (self._group_id,))
            (generation,) = sql.execute("SELECT generation FROM groups WHERE id=?", (self._group_id,)).fetchone()
        if changed or move.given or move.taken:
            self._notifier.tell([self._topic_id])
        self._generation = _UNSETTLED if move.owes else generation
        anew = session != self._session
        self._session = session
        self._last_session = session or self._last_session
        self.renew_at = started + min(self._lease / 4000, 1.0)
        return owned, anew

    def check(self, sql: sqlite3.Connection, owned: Set[int]) -> None:
        """Raise Fenced unless all of `owned` still is. A member that owns nothing has nothing to write for."""
        rows = sql.execute("SELECT partition FROM offsets WHERE grp=? AND session=?", (self._group_id, self._session))
        if not owned or not owned <= {partition for (partition,) in rows.fetchall()}:
            raise Fenced(
                f"{self._member} of {self._group}: another owner has its partitions; nothing was written, the next poll joins "
                f"again"
            )

    def advance(self, sql: sqlite3.Connection, offsets: Mapping[int, int]) -> None:
        sql.executemany(
            "UPDATE offsets SET next_offset=? WHERE grp=? AND partition=?",
            [(offset, self._group_id, partition) for partition, offset in offsets.items()],
        )

    def forsake(self) -> None:
        """Fenced, or not sure: join anew at the next `keep`."""
        self._session = 0
        self.renew_at = 0.0

    def leave(self) -> None:
        with self._database.writing(durable=False) as sql:
            sql.execute("DELETE FROM members WHERE session=?", (self._session,))
            sql.execute("UPDATE groups SET generation=generation+1 WHERE id=?", (self._group_id,))
        self.forsake()
        self._notifier.tell([self._topic_id])

    def _bury(self, sql: sqlite3.Connection, now: int) -> bool:
        """Remove members that were silent for longer than their lease. Returns whether there were any."""
        who = {"grp": self._group_id, "now": now}
        return sql.execute(f"DELETE FROM members WHERE grp=:grp AND NOT ({_ALIVE})", who).rowcount > 0

    def _renew(self, sql: sqlite3.Connection, now: int) -> int:
        """The session if it still is one, else 0."""
        renewed = sql.execute(
            "UPDATE members SET expires=? WHERE session=?", (now + self._lease, self._session)
        ).rowcount
        return self._session if renewed else 0

    def _join(self, sql: sqlite3.Connection, now: int) -> int:
        """A new session, which takes over from a predecessor of the same name at once.

        0: this member was replaced by a successor that lives; it stands by, or the two would fence each other for ever.
        """
        sql.execute(
            "INSERT OR IGNORE INTO groups(topic, name, generation) VALUES (?, ?, 0)", (self._topic_id, self._group)
        )
        (self._group_id,) = sql.execute(
            "SELECT id FROM groups WHERE topic=? AND name=?", (self._topic_id, self._group)
        ).fetchone()
        who = {"grp": self._group_id, "name": self._member, "now": now}
        found = sql.execute(f"SELECT session, {_ALIVE} FROM members WHERE grp=:grp AND name=:name", who).fetchone()
        known, alive = found or (0, False)
        if alive and 0 < self._last_session < known:
            return 0
        sql.executemany(
            "INSERT OR IGNORE INTO offsets(grp, partition) VALUES (?, ?)",
            [(self._group_id, partition) for partition in range(self._partitions)],
        )
        sql.execute("DELETE FROM members WHERE session=?", (known,))
        session = sql.execute(
            "INSERT INTO members(grp, name, lease, expires) VALUES (?, ?, ?, ?)",
            (self._group_id, self._member, self._lease, now + self._lease),
        ).lastrowid
        sql.execute("UPDATE offsets SET session=? WHERE grp=? AND session=?", (session, self._group_id, known))
        return session or 0

    def _balance(self, sql: sqlite3.Connection, session: int, busy: Set[int]) -> tuple[dict[int, int], Move]:
        """Returns what is owned after the move."""
        rows = sql.execute(
            "SELECT partition, next_offset, session FROM offsets WHERE grp=?", (self._group_id,)
        ).fetchall()
        live = {
            each for (each,) in sql.execute("SELECT session FROM members WHERE grp=?", (self._group_id,)).fetchall()
        }
        owners = {partition: owner if owner in live else None for partition, _, owner in rows}
        move = rebalance(owners, live, session, busy)
        sql.executemany(
            "UPDATE offsets SET session=? WHERE grp=? AND partition=?",
            [(None, self._group_id, partition) for partition in move.given]
            + [(session, self._group_id, partition) for partition in move.taken],
        )
        owners |= dict.fromkeys(move.given) | dict.fromkeys(move.taken, session)
        return {partition: offset or 0 for partition, offset, _ in rows if owners[partition] == session}, move
