"""Finds what makes transactions of the worker fail, so that no single job, message or run can stop the others.

After a failure that would come again, the worker takes fewer things at a time, down to one; the one thing at which it
fails is set aside. When it has taken as many as it failed with, it takes twice as many each time. So one bad thing
among many costs a few transactions. Things of all kinds count: what is set aside after a failure must not have been
prepared by something else that was undone with it, and comes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ..database import finished_dependency, job_state, pending_run, worker_request, worker_state
from ..database.finished_dependency import Mark
from ..database.spi import Spi
from ..jobs.run import Run
from ..jobs.run_queue import QueuedRun

# SQLSTATEs and classes of failures that pass by themselves: somebody holds a lock, the disk is full, the server
# is read-only or shuts down. The same transaction is tried again as it is.
PASSING = ("08", "25", "40", "53", "55P03", "57", "58")
# How many things are taken at a time after the first failure; how many times fewer after each further one; and from how
# many on all are taken again.
FIRST_LIMIT = 16  # things
# Among so many the bad one is, at most, when the first transaction fails.
SCOPE = 512  # things
REDUCTION = 4  # times
LAST_LIMIT = 64  # things
# For how long a job is set aside that cannot be claimed, or a retry that cannot be asked for.
SET_ASIDE_TIME = 3600.0  # seconds


class Stage(Enum):
    """What a transaction of the worker was about to do when it failed."""

    LOG = "log the end of a run"
    RETRY = "ask for a retry"
    FOLLOW = "follow a message"
    DEPEND = "look whether a job can start that runs after another"
    CLAIM = "claim a run"
    REST = "look for what is due next"


class Suspicion:
    """How many things to take at a time, and what the transaction has taken.

    >>> suspicion = Suspicion(None)
    >>> [suspicion.reduce() and suspicion.limit for _ in range(4)]
    [16, 4, 1, False]
    >>> [suspicion.relax() or suspicion.limit for _ in range(10)]
    [1, 1, 1, 2, 4, 8, 16, 32, 64, None]
    """

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        # None: as many as there are. So many are left of them in this transaction.
        self.limit: int | None = None
        self.left: int | None = None
        # Among how many more the bad one is.
        self._scope = 0
        self.stage = Stage.REST

    def begin(self) -> None:
        """Begin a transaction."""
        self.left = self.limit

    def enter(self, stage: Stage) -> bool:
        """Note what the transaction is about to do; returns whether it may take anything more."""
        self.stage = stage
        return self.left != 0

    def take(self, count: int) -> None:
        """Note that the transaction has taken so many things.

        >>> suspicion = Suspicion(None)
        >>> suspicion.reduce(), suspicion.begin(), suspicion.take(15), suspicion.enter(Stage.CLAIM), suspicion.left
        (True, None, None, True, 1)
        >>> suspicion.take(1), suspicion.enter(Stage.CLAIM)
        (None, False)
        """
        if self.left is not None:
            self.left = max(0, self.left - count)

    def reduce(self) -> bool:
        """Take fewer things at a time; returns whether that was possible."""
        if self.limit == 1:
            return False
        self._scope = self.limit or SCOPE
        self.limit = FIRST_LIMIT if self.limit is None else max(1, self.limit // REDUCTION)
        return True

    def of(
        self,
        sqlstate: str,
        unlogged: list[Run],
        retries: Sequence[int],
        messages: Sequence[int],
        told: Mark | None,
        picked: Sequence[QueuedRun],
        error: object,
    ) -> bool:
        """Follow a failure, after the transaction was rolled back: suspect all of it, or set aside what it was.
        Returns whether the next transaction will be another one."""
        if sqlstate.startswith(PASSING):
            return False
        if self.reduce():
            return True
        if not worker_state.is_registered(self._spi):
            return False  # a restore has created the extension anew: what is there is no longer this worker's
        reason = f"the worker could not {self.stage.value}: {error}"
        if self.stage is Stage.LOG and unlogged:
            self._give_up_run(unlogged)
        elif self.stage is Stage.RETRY:
            pending_run.put_off(self._spi, retries, SET_ASIDE_TIME)
        elif self.stage is Stage.FOLLOW:
            worker_request.drop(self._spi, messages)
        elif self.stage is Stage.DEPEND and told is not None:
            finished_dependency.move(self._spi, told)
        elif self.stage is Stage.CLAIM:
            for entry in picked:
                self._set_aside(entry, reason)
        else:
            return False
        self._scope = 0
        self._spi.commit()
        self._spi.warning(f"elephant_worker: set aside, since {reason}")
        return True

    def _give_up_run(self, unlogged: list[Run]) -> None:
        """Log less of the end of a run; if not even that is possible, nothing: its row then says "running" until
        another worker begins."""
        run = unlogged[0]
        assert run.outcome is not None
        plain = run.outcome.plain()
        if plain == run.outcome:
            unlogged.pop(0)
        run.outcome = plain

    def _set_aside(self, entry: QueuedRun, reason: str) -> None:
        if entry.request_id:
            worker_request.take(self._spi, [entry.request_id])
        else:
            job_state.set_aside(self._spi, entry.job_id, SET_ASIDE_TIME, reason)

    def relax(self) -> None:
        """Note that a transaction has succeeded."""
        if self.limit is not None:
            self._scope -= self.limit
            if self._scope <= 0:
                self.limit = 2 * self.limit if self.limit < LAST_LIMIT else None
