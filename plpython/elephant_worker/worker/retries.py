"""Runs that are tried again because they failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..database import job, pending_run
from ..database.pending_run import PendingRun
from ..database.spi import Spi
from ..jobs.retry import Policy
from ..jobs.run import EndedRun
from .inbox import Inbox

# How many retries one transaction asks for; more of them must not keep runs waiting.
RETRIES_AT_ONCE = 100  # retries


class Retries:
    """Writes and enqueues retries; `chance` gives a random number between 0 and 1.

    Remembers whether there may be retries and when the first is due, so that jobs without retries cost nothing.
    """

    def __init__(self, spi: Spi, inbox: Inbox, chance: Callable[[], float]) -> None:
        self._spi = spi
        self._inbox = inbox
        self._chance = chance
        # The jobs whose retries were asked for last.
        self.taken: list[int] = []
        self.forget()

    def forget(self) -> None:
        """Look again at what there is: a transaction has failed, or the retries are due at other times."""
        self._may_exist = True
        self._next_due: float | None = None

    def schedule(self, failed: Sequence[EndedRun], policies: Mapping[int, Policy], now: float) -> set[int]:
        """Have runs tried again, if their jobs want that; returns the jl_id of these runs."""
        retries: dict[int, PendingRun] = {}
        for run in failed:
            policy = policies.get(run.job_id)
            if policy is None:
                continue
            delay = policy.retry_after(run.state, run.sqlstate, run.attempt, self._chance())
            if delay is not None and not policy.gives_up:
                retry = PendingRun(run.job_id, now + delay, run.scheduled_at, run.attempt + 1, run.jl_id)
                retries.setdefault(run.job_id, retry)
        if not retries:
            return set()
        self._may_exist = True
        return pending_run.add(self._spi, list(retries.values()))

    def enqueue_due(self, now: float, limit: int | None) -> None:
        """Ask for the retries that are due, at most for so many."""
        self.taken = []
        if self._next_due is not None and self._next_due <= now:
            self.taken = pending_run.due(self._spi, now, limit or RETRIES_AT_ONCE)
            pending_run.enqueue(self._spi, self.taken)
            self._inbox.note()

    def next_due(self) -> float | None:
        """When the next retry is due."""
        if self._may_exist:
            self._next_due, requested = pending_run.next_due(self._spi)
            self._may_exist = self._next_due is not None or requested
        return self._next_due

    def drop(self, job_ids: Sequence[int]) -> list[int]:
        """Forget the retries of these jobs: a regular run has begun, or the job was cancelled, disabled or deleted.
        Returns the jl_id of the runs that are not tried again now."""
        return pending_run.drop(self._spi, job_ids) if self._may_exist else []

    def define(self, job_ids: Sequence[int]) -> list[int]:
        """Follow what has been defined, changed or deleted: jobs that are disabled or gone are not tried again.
        Returns the same."""
        gone = job.disabled(self._spi, job_ids) if self._may_exist else []
        return self.drop(gone) if gone else []

    def shift_after_clock_step(self, seconds: float) -> None:
        """Have retries wait as long as they would have, now that the clock has been set back."""
        pending_run.shift(self._spi, seconds)
        self.forget()
