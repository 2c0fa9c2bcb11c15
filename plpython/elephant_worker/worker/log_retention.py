"""Keeps the log as short as worker_setting says: a few rows at a time, while nothing else is to do."""

from __future__ import annotations

from dataclasses import dataclass

from ..database.store import Settings, Store

# How many rows a step may delete, or look at.
BATCH = 500
SURVEY = 1000
# A step counts the rows that its jobs may keep, which takes time too: so many in all, for so many jobs at the most.
COUNTED = 5000
MOST_JOBS = 50
# How long after a step the next one may follow, and how long one that finds the worker busy waits.
PAUSE = 0.02
PATIENCE = 0.1
# How often rows that have become too old are looked for.
EVERY = 60.0
# Due times so near are waited for first: a step takes some milliseconds.
NEAR = 0.01


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: seconds, rows of each job; None: all."""

    age: float | None
    rows: int | None


class LogRetention:
    """What is still to be pruned. Moments are those of the steady clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._limits = Limits(None, None)
        # When the next step is due.
        self.next = 0.0
        # When rows that are too old are looked for. All before this one have gone: what an index
        # still holds of them need not be read again.
        self._look_at = 0.0
        self._lowest = 0
        # Jobs with more rows than they may keep; these are looked for up to this job, None: no more.
        self._jobs: dict[int, None] = {}
        self._surveyed: int | None = None

    def use(self, pulse: Settings) -> None:
        """Follow the settings; where they have changed, look at everything again."""
        limits = Limits(pulse.log_max_age, pulse.log_max_rows)
        if limits != self._limits:
            self._limits = limits
            self._lowest = 0
            self._jobs.clear()
            self._surveyed = None if limits.rows is None else 0
            self._look_at = self.next = 0.0

    def add(self, job_ids: list[int], steady: float) -> None:
        """Note jobs that have more rows than they may keep."""
        if job_ids:
            self._jobs.update(dict.fromkeys(job_ids))
            self.next = min(self.next, steady + PAUSE)

    def step(self, steady: float, now: float) -> None:
        """Do a little of what there is to do."""
        if self._limits.age is not None and steady >= self._look_at:
            gone, self._lowest = self._store.prune_age(self._lowest, now - self._limits.age, BATCH)
            self._look_at = steady if gone else steady + EVERY
        elif self._surveyed is not None:
            self._surveyed, found = self._store.overfull_jobs(self._surveyed, SURVEY)
            self._jobs.update(dict.fromkeys(found))
        elif self._jobs and self._limits.rows is not None:
            jobs = list(self._jobs)[: max(1, min(MOST_JOBS, COUNTED // self._limits.rows))]
            left = self._store.prune_rows(jobs, self._limits.rows, max(1, BATCH // len(jobs)))
            for job_id in jobs:
                del self._jobs[job_id]
            self._jobs.update(dict.fromkeys(left))
        more = self._jobs or self._surveyed is not None or self._look_at <= steady
        self.next = steady + (PAUSE if more else EVERY)

    def fail(self, steady: float) -> None:
        """Try again later."""
        self.next = steady + EVERY
