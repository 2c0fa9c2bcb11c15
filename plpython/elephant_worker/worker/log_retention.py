"""Keeps the log as short as worker_setting says: a few rows at a time, while there is nothing else to do."""

from __future__ import annotations

from dataclasses import dataclass

from ..database import job_log, job_statistic
from ..database.spi import Spi
from ..database.worker_setting import Settings

# How many rows a step may delete, and how many jobs it may look at.
BATCH = 500  # rows
SURVEY = 1000  # jobs
# Counting the rows that jobs keep takes time too: a step counts this many rows, of this many jobs.
COUNTED = 5000  # rows
MOST_JOBS = 50  # jobs
# How long after a step the next one may follow, and how long a step waits if the worker is busy.
PAUSE = 0.02  # seconds
BUSY_WAIT = 0.1  # seconds
# How often rows that have become too old are looked for.
AGE_INTERVAL = 60.0  # seconds
# A step takes some milliseconds: if a job is due within this time, it comes first.
STEP_TIME = 0.01  # seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: seconds, rows of each job; None: all."""

    age: float | None
    rows: int | None


class LogRetention:
    """What is still to be pruned. Moments are those of the steady clock."""

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
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

    def use(self, settings: Settings) -> None:
        """Follow the settings; if they have changed, look at everything again."""
        limits = Limits(settings.log_max_age, settings.log_max_rows)
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

    def run_due(self, steady: float, now: float, at_leisure: bool) -> None:
        """Do a little of what there is to do, if its time has come; runs go on if that fails."""
        if steady < self.next + (0.0 if at_leisure else BUSY_WAIT):
            return
        try:
            self._step(steady, now)
            self._spi.commit()
        except self._spi.Error as error:
            self._spi.rollback()
            self.next = steady + AGE_INTERVAL
            self._spi.warning(f"elephant_worker could not prune the log: {error}")

    def _step(self, steady: float, now: float) -> None:
        if self._limits.age is not None and steady >= self._look_at:
            gone, self._lowest = job_log.prune_by_age(self._spi, self._lowest, now - self._limits.age, BATCH)
            self._look_at = steady if gone else steady + AGE_INTERVAL
        elif self._surveyed is not None:
            self._surveyed, found = job_statistic.overfull_jobs(self._spi, self._surveyed, SURVEY)
            self._jobs.update(dict.fromkeys(found))
        elif self._jobs and self._limits.rows is not None:
            jobs = list(self._jobs)[: max(1, min(MOST_JOBS, COUNTED // self._limits.rows))]
            left = job_log.prune_by_count(self._spi, jobs, self._limits.rows, max(1, BATCH // len(jobs)))
            for job_id in jobs:
                del self._jobs[job_id]
            self._jobs.update(dict.fromkeys(left))
        more = self._jobs or self._surveyed is not None or self._look_at <= steady
        self.next = steady + (PAUSE if more else AGE_INTERVAL)
