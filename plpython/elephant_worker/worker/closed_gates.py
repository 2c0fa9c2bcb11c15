"""The roles and databases of this server that let no new session in for now."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..connection.pool import Pool
from ..database import server
from ..database.spi import Spi
from ..jobs.run import Gate, Target, gates
from ..system.clock import Clock
from .timers import Every

# How often it is looked for them, while runs start or wait for them.
LOOK_INTERVAL = 0.2  # seconds
# How often while nothing starts, but sessions are kept that may be in somebody's way. Whoever drops, renames or
# copies a database gives up after 5 seconds.
IDLE_LOOK_INTERVAL = 1.0  # seconds


class ClosedGates:
    """Databases that somebody drops, renames or copies, and databases and roles whose CONNECTION LIMIT is reached.

    Runs that are due there wait, and no session is kept there: it would be in the way. Where somebody only waits for
    the lock of a database, or has that of the worker's own, in vain, no session is in the way of anything: those that
    are kept are used, and no further one is opened.
    """

    def __init__(self, spi: Spi, clock: Clock, pool: Pool) -> None:
        self._spi = spi
        self._clock = clock
        self._pool = pool
        self._look = Every(LOOK_INTERVAL)
        # Whether sessions count for the limits of the roles of jobs: they are theirs, not those of runners.
        self.limits_roles = False
        self.closed: frozenset[Gate] = frozenset()
        # Databases in which no session can be opened, and those that are there are in nobody's way.
        self._shut: frozenset[Gate] = frozenset()

    def look(self) -> bool:
        """See which there are, unless that has just been done; returns whether others are open than before."""
        if not self._look.begin_if_due(self._clock.steady()):
            return False
        before, locked = self.closed, server.locked_databases(self._spi)
        left = {gate for gate, is_to_be_left in locked.items() if is_to_be_left}
        self._shut = frozenset(locked.keys() - left)
        full = {gate for gate, room in self.room().items() if room <= 0 and not self._pool.idle_behind(gate)}
        self._close(frozenset(left | full))
        return self.closed != before

    def close(self, gates: set[Gate]) -> None:
        """Have those be closed too, until the next look, that have no room for a run."""
        self._close(self.closed | gates)

    def _close(self, gates: frozenset[Gate]) -> None:
        self.closed = gates
        self._pool.leave(gates - self._shut)

    def seconds_until_look(self) -> float:
        """How long to wait for the next look, if there is anything to look for."""
        if self.closed:
            return self._look.next - self._clock.steady()
        if self._pool.keeps_sessions:
            return self._look.next - LOOK_INTERVAL + IDLE_LOOK_INTERVAL - self._clock.steady()
        return math.inf

    def admitted(self, targets: Iterable[Target]) -> list[Target]:
        """Those of the targets for which a session can be opened, if one is for each of them."""
        room, admitted = self.room() | dict.fromkeys(self.closed, 0), []
        for target in targets:
            limited = [gate for gate in gates(target.names) if gate in room]
            if all(room[gate] > 0 for gate in limited):
                admitted.append(target)
                for gate in limited:
                    room[gate] -= 1
        return admitted

    def room(self) -> dict[Gate, int]:
        """How many more sessions may be opened where there is a CONNECTION LIMIT; the server does not yet count those
        that are being opened."""
        rooms = server.room(self._spi, self.limits_roles)
        free = {gate: room - self._pool.connecting_through(gate) for gate, room in rooms.items()}
        return free | dict.fromkeys(self._shut, 0)
