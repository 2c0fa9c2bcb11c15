"""The databases of this server to which nobody can connect for now."""

from __future__ import annotations

import math

from ..connection.pool import Pool
from ..database import server
from ..database.spi import Spi
from ..system.clock import Clock
from .timers import Every

# How often it is looked for them, while runs start or wait for them.
LOOK_INTERVAL = 0.2  # seconds
# How often while nothing starts, but sessions are kept that may be in somebody's way. Whoever drops, renames or
# copies a database gives up after 5 seconds.
IDLE_LOOK_INTERVAL = 1.0  # seconds


class ClosedDatabases:
    """Those that somebody drops, renames or copies, and those whose CONNECTION LIMIT is reached.

    Runs that are due there wait, and no session is kept there: it would be in the way.
    """

    def __init__(self, spi: Spi, clock: Clock, pool: Pool) -> None:
        self._spi = spi
        self._clock = clock
        self._pool = pool
        self._look = Every(LOOK_INTERVAL)
        self.names: frozenset[str] = frozenset()

    def look(self) -> bool:
        """See which there are, unless that has just been done; returns whether others are open than before."""
        if not self._look.begin_if_due(self._clock.steady()):
            return False
        before, locked = self.names, server.locked_databases(self._spi)
        full = {name for name, room in self.room().items() if room <= 0 and not self._pool.idle_in(name)}
        self._close(frozenset(locked | full))
        return self.names != before

    def close(self, names: set[str]) -> None:
        """Have those be closed too, until the next look, in which there is no room for a run."""
        self._close(self.names | names)

    def _close(self, names: frozenset[str]) -> None:
        self.names = names
        self._pool.leave(names)

    def seconds_until_look(self) -> float:
        """How long to wait for the next look, if there is anything to look for."""
        if self.names:
            return self._look.next - self._clock.steady()
        if self._pool.keeps_sessions:
            return self._look.next - LOOK_INTERVAL + IDLE_LOOK_INTERVAL - self._clock.steady()
        return math.inf

    def room(self) -> dict[str, int]:
        """How many more sessions each database may have that has a CONNECTION LIMIT; the server does not yet count
        those that are being opened."""
        return {name: room - self._pool.connecting_to(name) for name, room in server.room(self._spi).items()}
