"""Runs that are tried again because they failed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

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

    Remembers which jobs have some, and before which moment none is due: so jobs without retries cost nothing, and those
    that there have been are not passed by while somebody's snapshot keeps them from being vacuumed.
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
        self._next_due: float | None = None
        self._first = -math.inf
        # The jobs that have retries to come, and those whose retries are in the inbox.
        self._is_known = False
        self._pending: set[int] = set()
        self._requested: set[int] = set()

    def _read(self) -> None:
        if not self._is_known:
            self._pending, self._requested = pending_run.job_ids(self._spi)
            self._is_known = True

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
        self._read()
        added = pending_run.add(self._spi, list(retries.values()), self._requested)
        self._pending.update(added)
        self._first = min([self._first, *(retries[job_id].due_at for job_id in added)])
        return {*added.values()}

    def enqueue_due(self, now: float, limit: int | None) -> None:
        """Ask for the retries that are due, at most for so many."""
        self.taken = []
        if self._next_due is not None and self._next_due <= now:
            self._read()
            self.taken = pending_run.due(self._spi, now, limit or RETRIES_AT_ONCE, self._first)
            pending_run.enqueue(self._spi, self.taken)
            self._pending.difference_update(self.taken)
            self._requested.update(self.taken)
            self._inbox.note()

    def take(self, job_ids: Iterable[int]) -> None:
        """Note that the retries of these jobs have been taken out of the inbox."""
        self._requested.difference_update(job_ids)

    def next_due(self) -> float | None:
        """When the next retry is due."""
        self._read()
        self._next_due = pending_run.next_due(self._spi, self._first) if self._pending else None
        if self._next_due is not None:
            self._first = self._next_due
        return self._next_due

    def drop(self, job_ids: Sequence[int]) -> list[int]:
        """Forget the retries of these jobs: a regular run has begun, or the job was cancelled, disabled or deleted.
        Returns the jl_id of the runs that are not tried again now."""
        self._read()
        pending, requested = self._pending.intersection(job_ids), self._requested.intersection(job_ids)
        if not pending and not requested:
            return []
        self._pending -= pending
        self._requested -= requested
        return pending_run.drop(self._spi, pending, requested)

    def define(self, job_ids: Sequence[int]) -> list[int]:
        """Follow what has been defined, changed or deleted: jobs that are disabled or gone are not tried again.
        Returns the same."""
        self._read()
        waiting = [job_id for job_id in job_ids if job_id in self._pending or job_id in self._requested]
        return self.drop(job.disabled(self._spi, waiting)) if waiting else []

    def shift_after_clock_step(self, seconds: float) -> None:
        """Have retries wait as long as they would have, now that the clock has been set back."""
        pending_run.shift(self._spi, seconds)
        self.forget()
