"""Vacuums the tables of the worker.

Autovacuum goes by what sessions report when they become idle, which the worker never does while it works; so
the worker has its own tables vacuumed.
"""

from __future__ import annotations

from collections.abc import Callable

from ..connection.client import NO_TIMEOUTS, Client
from ..connection.login import Login
from ..connection.poller import Poller
from ..database import server
from ..database.spi import Spi

# As autovacuum_vacuum_threshold and autovacuum_vacuum_scale_factor, but with a higher threshold: the tables are
# written to all the time.
THRESHOLD = 1000  # rows
SCALE_FACTOR = 0.2  # rows for each row of the table
# The shortest time between two of them, and the largest part of the time that they may take.
INTERVAL = 5.0  # seconds
SHARE = 0.1  # of the time


class VacuumConnection(Client):
    """One connection that vacuums some tables, one after the other."""

    def __init__(self, login: Login, tables: list[str]) -> None:
        self._tables = tables
        super().__init__(login)

    def begin(self) -> None:
        self.query(NO_TIMEOUTS)

    def answered(self) -> None:
        self._next()

    def _next(self) -> None:
        if self._tables:
            # A table that somebody has locked is passed over; giving pages back would need a lock
            # for which the loop has to wait.
            self.query(f"VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {self._tables.pop()}")
        else:
            self.close()


class Vacuum:
    """Has them vacuumed when enough has been written; `login` says how to connect, if that is possible.

    Moments are those of the steady clock.
    """

    def __init__(self, spi: Spi, poller: Poller, login: Callable[[], Login | None]) -> None:
        self._spi = spi
        self._poller = poller
        self._login = login
        self._connection: VacuumConnection | None = None
        self._begun = 0.0
        self._not_before = 0.0

    def run_due(self, steady: float) -> None:
        """Vacuum the tables that need it, unless that goes on already or was done a moment ago."""
        self._notice_end(steady)
        written = self._spi.written
        if self._connection is not None or steady < self._not_before or max(written.values(), default=0) <= THRESHOLD:
            return
        self._not_before = steady + INTERVAL
        tables = server.tables(self._spi)
        due = [name for name, dead in written.items() if dead > THRESHOLD + SCALE_FACTOR * tables[name].rows]
        login = self._login() if due else None
        if login is None:
            return
        for name in due:
            del written[name]
        self._begun = steady
        self._connection = VacuumConnection(login, [tables[name].qualified_name for name in due])
        self._poller.watch(self._connection)

    def close(self) -> None:
        if self._connection is not None and not self._connection.ended:
            self._connection.close()

    def _notice_end(self, steady: float) -> None:
        connection = self._connection
        if connection is not None and connection.ended:
            if connection.failure:
                self._spi.warning(f"elephant_worker could not vacuum its tables: {connection.failure}")
            self._not_before = steady + max(INTERVAL, (steady - self._begun) / SHARE)
            self._connection = None
