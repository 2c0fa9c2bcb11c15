"""What happens when runs have ended: they are logged and counted, and retries, other runs and alerts follow.

All of it is written in the transaction that logs their end, so that no crash can lose it or do it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..database import job, job_log, job_statistic
from ..database.spi import Spi
from ..jobs.run import EndedRun, Run
from ..system.clock import Clock
from .alerts import Alerts
from .dependencies import Dependencies
from .due_jobs import DueJobs
from .inbox import Inbox
from .log_retention import LogRetention
from .retries import Retries


class Completion:
    """Writes it; `chance` gives a random number between 0 and 1."""

    def __init__(
        self,
        spi: Spi,
        clock: Clock,
        inbox: Inbox,
        due_jobs: DueJobs,
        retention: LogRetention,
        chance: Callable[[], float],
    ) -> None:
        self._spi = spi
        self._clock = clock
        self._due_jobs = due_jobs
        self._retention = retention
        self.retries = Retries(spi, inbox, chance)
        self.dependencies = Dependencies(spi, inbox)
        self.alerts = Alerts(spi)

    def begin(self, now: float) -> None:
        """Take up what an earlier worker has left: the runs that this transaction has logged as lost."""
        self.alerts.begin()
        self._follow(job_log.lost_runs(self._spi), now)

    def forget(self) -> None:
        """Forget what the transaction was about: it has failed."""
        self.retries.forget()
        self.alerts.forget()

    def define(self, job_ids: Sequence[int]) -> None:
        """Follow what has been defined, changed or deleted."""
        self.dependencies.define(job_ids)
        self.alerts.define(job_ids)
        self.retries.define(job_ids)

    def log(self, runs: Sequence[Run], now: float) -> None:
        """Log runs that have ended, and write what follows."""
        job_log.complete(self._spi, runs)
        self._due_jobs.run_again(runs)
        self._retention.add(job_statistic.count(self._spi, runs), self._clock.steady())
        self._follow([EndedRun.of(run) for run in runs], now)

    def _follow(self, ended: Sequence[EndedRun], now: float) -> None:
        failed = [run for run in ended if run.failed]
        policies = job.policies(self._spi, [run.job_id for run in failed]) if failed else {}
        disabled = self.retries.disable(policies)
        retried = self.retries.schedule(failed, policies, now)
        self.dependencies.enqueue_on_failure_commands([run for run in failed if run.jl_id not in retried], policies)
        self.dependencies.enqueue_dependents([run for run in ended if run.jl_id not in retried])
        self.alerts.add_disabled(disabled, now)
        self.alerts.add_ended(ended, retried, now)
