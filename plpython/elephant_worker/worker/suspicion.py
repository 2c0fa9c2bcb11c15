"""Finds what makes transactions of the worker fail, so that no single job, message or run can stop the others.

After a failure that would come again, the worker takes one thing at a time until all of it has been done; the thing
at which it fails once more is set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ..database import job_state, worker_request, worker_state
from ..database.spi import Spi
from ..jobs.run import Run
from ..jobs.run_queue import QueuedRun

# SQLSTATEs and classes of failures that pass by themselves: somebody holds a lock, the disk is full, the server
# is read-only or shuts down. The same transaction is tried again as it is.
PASSING = ("08", "25", "40", "53", "55P03", "57", "58")
# For how long a job is set aside that cannot be claimed.
SET_ASIDE_TIME = 3600.0  # seconds


class Stage(Enum):
    """What a transaction of the worker was about to do when it failed."""

    LOG = "log the end of a run"
    FOLLOW = "follow a message"
    CLAIM = "claim a run"
    REST = "look for what is due next"


class Suspicion:
    """Whether to take one thing at a time, and what the transaction has taken."""

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        self.one_by_one = False
        self.stage = Stage.REST

    def of(self, sqlstate: str, unlogged: list[Run], picked: Sequence[QueuedRun], error: object) -> bool:
        """Follow a failure, after the transaction was rolled back: suspect all of it, or set aside what it was.
        Returns whether the next transaction will be another one."""
        if sqlstate.startswith(PASSING):
            return False
        if not self.one_by_one:
            self.one_by_one = True
            return True
        if not worker_state.is_registered(self._spi):
            return False  # a restore has created the extension anew: what is there is no longer this worker's
        reason = f"the worker could not {self.stage.value}: {error}"
        if self.stage is Stage.LOG and unlogged:
            self._give_up_run(unlogged)
        elif self.stage is Stage.FOLLOW:
            worker_request.drop_first_message(self._spi)
        elif self.stage is Stage.CLAIM:
            for entry in picked:
                self._set_aside(entry, reason)
        else:
            return False
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
        if entry.request_id is not None:
            worker_request.take(self._spi, [entry.request_id])
        else:
            job_state.set_aside(self._spi, entry.job_id, SET_ASIDE_TIME, reason)

    def relax(self, is_idle: bool) -> None:
        """Note that a transaction has succeeded, and whether all has been done."""
        if is_idle:
            self.one_by_one = False
