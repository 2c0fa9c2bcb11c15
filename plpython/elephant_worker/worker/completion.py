"""What happens when runs have ended: they are logged and counted, and retries, other runs and alerts follow.

All of it is written in the transaction that logs their end, so that no crash can lose it or do it twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ..database import job, job_log, job_statistic
from ..database.spi import Spi
from ..database.worker_request import LAST, Message
from ..jobs.run import EndedRun, Run
from ..system.clock import Clock
from .alerts import Alerts
from .dependencies import Dependencies
from .due_jobs import DueJobs
from .inbox import Inbox
from .log_retention import LogRetention
from .metrics import Metrics
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
        self.dependencies = Dependencies(spi, clock, inbox)
        self.metrics = Metrics(spi)
        self.alerts = Alerts(spi, clock, retention, self.metrics)

    def begin(self, now: float) -> None:
        """Take up what an earlier worker has left: the runs that this transaction has logged as lost."""
        self.alerts.begin()
        self._follow(job_log.lost_runs(self._spi), now)

    def settle(self) -> None:
        """Keep what the transaction was about: it is committed."""
        self.alerts.settle()
        self.metrics.settle()

    def forget(self) -> None:
        """Forget what the transaction was about: it has failed."""
        self.retries.forget()
        self.dependencies.forget()
        self.alerts.forget()
        self.metrics.forget()

    def define(self, committed: Mapping[int, float], now: float, available_since: float) -> None:
        """Follow what has been defined, changed or deleted: for each job, before which moment nobody could see it; 0:
        not known."""
        job_ids = list(committed)
        missed = self._due_jobs.define(committed, now, available_since)
        self._log_missed(missed, now)
        self._conclude(self.retries.define(job_ids), now)
        self.dependencies.define(job_ids)
        self.alerts.define(job_ids)

    def disable(self, disabled: Mapping[int, Message], now: float) -> list[int]:
        """Follow that jobs were disabled, even if they are enabled again: what waits for them does not start. Returns
        the numbers of the requests among that."""
        self._conclude(self.retries.drop(list(disabled)), now)
        return self.dependencies.disable(disabled)

    def _log_missed(self, missed: Sequence[Run], now: float) -> None:
        """Log due times that will have no run, but for those that are in the log already."""
        known = job_log.begin(self._spi, missed) if missed else []
        if new := [run for run in missed if run not in known]:
            self.log(new, now)

    def drop_retries(self, job_ids: Sequence[int], now: float) -> None:
        """Have failed runs of these jobs not be tried again; what follows from a failure follows now."""
        self._conclude(self.retries.drop(job_ids), now)

    def _conclude(self, jl_ids: Sequence[int], now: float) -> None:
        """Have follow what follows from failed runs that are not tried again after all."""
        if jl_ids:
            failed = job_log.failed_runs(self._spi, jl_ids)
            policies = job.policies(self._spi, [run.job_id for run in failed])
            self.dependencies.enqueue_on_failure_commands(failed, policies)
            self.dependencies.enqueue_dependents(failed)

    def log(self, runs: Sequence[Run], now: float) -> None:
        """Log runs that have ended, and write what follows."""
        self.alerts.refresh()
        overfull = self._complete(runs)
        self.metrics.add_runs(runs)
        self._due_jobs.run_again(runs)
        self._retention.add(overfull, self._clock.steady())
        ended = [EndedRun.of(run) for run in runs]
        self._follow(ended, now)
        self._conclude([run.makes_final for run in ended if run.makes_final is not None], now)

    def _complete(self, runs: Sequence[Run]) -> list[int]:
        """Complete the log of the runs and count them; returns the jobs that have more rows in the log than they may
        keep. For most runs there is a statement that does all of that, and takes less to be handed over."""
        number = Counter(run.job_id for run in runs)
        successes: list[Run] = []
        others: list[Run] = []
        for run in runs:
            (successes if run.is_unmeasured_success and number[run.job_id] == 1 else others).append(run)
        overfull = job_log.succeed(self._spi, successes) if successes else []
        if others:
            job_log.complete(self._spi, others)
            overfull += job_statistic.count(self._spi, others)
        return overfull

    def _follow(self, ended: Sequence[EndedRun], now: float) -> None:
        failed = [run for run in ended if run.failed]
        policies = job.policies(self._spi, [run.job_id for run in failed]) if failed else {}
        disabled = self._disable([policy.job_id for policy in policies.values() if policy.gives_up], now)
        retried = self.retries.schedule(failed, policies, now)
        self.dependencies.enqueue_on_failure_commands([run for run in failed if run.jl_id not in retried], policies)
        self.dependencies.enqueue_dependents([run for run in ended if run.jl_id not in retried])
        self.alerts.add_ended(ended, retried, disabled, now, self._clock.steady())

    def _disable(self, hopeless: Sequence[int], now: float) -> list[int]:
        """Disable the jobs that have failed too often in a row; returns those that were not disabled before."""
        if not hopeless:
            return []
        disabled, missed = self._due_jobs.disable(hopeless, now)
        self._log_missed(missed, now)
        self.disable(dict.fromkeys(hopeless, LAST), now)
        return disabled
