"""Vacuums the tables of the worker.

Autovacuum goes by what sessions report when they become idle, and the worker never does while it
works: what it writes must be vacuumed by itself.
"""

from __future__ import annotations

from collections import Counter

from ..connection.client import Client

# As autovacuum_vacuum_threshold and autovacuum_vacuum_scale_factor, but the threshold: the tables
# are written to all the time.
THRESHOLD = 1000
SCALE_FACTOR = 0.2
# Not more often than this, in seconds, and not for more than this part of the time.
OFTEN = 5.0
SHARE = 0.1


class Vacuum(Client):
    """One connection that vacuums some tables, one after the other."""

    def __init__(self, conninfo: str, tables: list[str]) -> None:
        self.done = False
        self._tables = tables
        super().__init__(conninfo)

    def begin(self) -> None:
        self._next()

    def answered(self) -> None:
        self._next()

    def _next(self) -> None:
        if self._tables:
            # A table that somebody has locked is passed over; giving pages back would need a lock
            # for which the loop has to wait.
            command = f"VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {self._tables.pop()}"
            self._connection.send_query(command.encode())
        else:
            self.done = True
            self.connected = False
            self.close()


class Vacuuming:
    """When to vacuum. Moments are those of the steady clock."""

    def __init__(self, dead: Counter[str]) -> None:
        self._dead = dead
        self._link: Vacuum | None = None
        self._begun = 0.0
        self._not_before = 0.0
        self.failure = ""

    @property
    def wanted(self) -> bool:
        """Whether so much has been written that it is worth to look."""
        return max(self._dead.values(), default=0) > THRESHOLD

    def idle(self, steady: float) -> bool:
        """Whether none is under way, and it is not too early for the next one."""
        link = self._link
        if link is not None and (link.done or link.failure):
            self.failure = link.failure
            self._not_before = steady + max(OFTEN, (steady - self._begun) / SHARE)
            self._link = None
        return self._link is None and steady >= self._not_before

    def start(self, rows: dict[str, float], conninfo: str, steady: float) -> Vacuum | None:
        """Vacuum the tables that need it; `rows` says how many rows each table has."""
        tables = [table for table, dead in self._dead.items() if dead > THRESHOLD + SCALE_FACTOR * rows.get(table, 0.0)]
        if not tables:
            self._not_before = steady + OFTEN
            return None
        for table in tables:
            del self._dead[table]
        self._begun = steady
        self._link = Vacuum(conninfo, tables)
        return self._link

    def close(self) -> None:
        if self._link is not None and not self._link.done:
            self._link.close()
