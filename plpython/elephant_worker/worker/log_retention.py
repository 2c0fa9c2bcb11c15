"""Keeps the log and the alerts as short as worker_setting says: a few rows at a time, while there is nothing else to
do."""

from __future__ import annotations

from math import inf

from ..database import alert, job_change, job_log, job_statistic
from ..database.spi import Spi
from ..database.worker_setting import Settings
from ..records import record

# How many rows a step may delete, and how many jobs it may look at.
BATCH = 500  # rows
SURVEY = 1000  # jobs
# Counting the rows that jobs keep takes time too: a step counts this many rows, of this many jobs.
COUNTED = 5000  # rows
MOST_JOBS = 50  # jobs
# For how many jobs alerts are counted; more of them are looked at again.
MOST_COUNTED = 100000  # jobs
# How long after a step the next one may follow, and how long a step waits if the worker is busy.
PAUSE = 0.02  # seconds
BUSY_WAIT = 0.1  # seconds
# How often rows that have become too old are looked for.
AGE_INTERVAL = 60.0  # seconds
# How often the whole history of the definitions is looked through.
CHANGES_INTERVAL = 3600.0  # seconds
# A step takes some milliseconds: if a job is due within this time, it comes first.
STEP_TIME = 0.01  # seconds


@record(frozen=True)
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
        self._look_at = inf
        self._lowest = 0
        self._lowest_alert = 0
        # When the history of more jobs is looked at, and after which job.
        self._look_at_changes = inf
        self._changes_after: int | None = None
        # Jobs with more rows than they may keep; these are looked for up to this job, None: no more.
        self._jobs: dict[int, None] = {}
        self._surveyed: int | None = None
        # How many alerts about each job have been raised since those that it may not keep were looked for, and the
        # jobs for which it is time to look again.
        self._alerts: dict[int, int] = {}
        self._jobs_with_alerts: dict[int, None] = {}
        # All alerts about a job before this one have gone.
        self._lowest_of_jobs: dict[int, int] = {}

    def use(self, settings: Settings) -> None:
        """Follow the settings; if they have changed, look at everything again."""
        limits = Limits(settings.log_max_age, settings.log_max_rows)
        if limits != self._limits:
            self._limits = limits
            self._lowest = self._lowest_alert = 0
            self._jobs.clear()
            self._alerts.clear()
            self._lowest_of_jobs.clear()
            self._surveyed = None if limits.rows is None else 0
            self._changes_after = None
            self._look_at = inf if limits.age is None else 0.0
            self._look_at_changes = inf if limits == Limits(None, None) else 0.0
            self.next = 0.0

    def add(self, job_ids: list[int], steady: float) -> None:
        """Note jobs that have more rows than they may keep."""
        if job_ids:
            self._jobs.update(dict.fromkeys(job_ids))
            self.next = min(self.next, steady + PAUSE)

    def add_alerts(self, job_ids: list[int], steady: float) -> None:
        """Note alerts about jobs, one for each that is named."""
        if self._limits.rows is None:
            return
        if len(self._alerts) > MOST_COUNTED:
            self._alerts.clear()
            self._lowest_of_jobs.clear()
        for job_id in job_ids:
            if job_id < 0:  # has one run
                continue
            # Of what an earlier worker has left, nothing is known.
            self._alerts[job_id] = self._alerts.get(job_id, self._limits.rows) + 1
            if self._alerts[job_id] > max(10, self._limits.rows // 10):
                self._alerts[job_id] = 0
                self._jobs_with_alerts[job_id] = None
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
            before = now - self._limits.age
            gone, self._lowest = job_log.prune_by_age(self._spi, self._lowest, before, BATCH)
            alerts_gone, self._lowest_alert = alert.prune_by_age(self._spi, self._lowest_alert, before, BATCH)
            self._look_at = steady if gone or alerts_gone else steady + AGE_INTERVAL
        elif self._surveyed is not None:
            self._surveyed, found = job_statistic.overfull_jobs(self._spi, self._surveyed, SURVEY)
            self._jobs.update(dict.fromkeys(found))
        elif self._jobs and self._limits.rows is not None:
            jobs = list(self._jobs)[: max(1, min(MOST_JOBS, COUNTED // self._limits.rows))]
            left = job_log.prune_by_count(self._spi, jobs, self._limits.rows, max(1, BATCH // len(jobs)))
            for job_id in jobs:
                del self._jobs[job_id]
            self._jobs.update(dict.fromkeys(left))
        elif self._jobs_with_alerts and self._limits.rows is not None:
            job_id = next(iter(self._jobs_with_alerts))
            lowest = self._lowest_of_jobs.get(job_id, 0)
            gone, self._lowest_of_jobs[job_id] = alert.prune_by_count(
                self._spi, job_id, self._limits.rows, BATCH, lowest
            )
            if gone < BATCH:
                del self._jobs_with_alerts[job_id]
        elif steady >= self._look_at_changes:
            oldest = None if self._limits.age is None else now - self._limits.age
            self._changes_after = job_change.prune(
                self._spi, self._changes_after or 0, oldest, self._limits.rows, BATCH
            )
            self._look_at_changes = steady + (CHANGES_INTERVAL if self._changes_after is None else PAUSE)
        more = (
            self._jobs
            or self._jobs_with_alerts
            or self._surveyed is not None
            or min(self._look_at, self._look_at_changes) <= steady + PAUSE
        )
        self.next = steady + (PAUSE if more else AGE_INTERVAL)
