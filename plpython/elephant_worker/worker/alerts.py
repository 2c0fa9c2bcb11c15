"""The alerts: which there are to send, and sending them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..database import job, job_state, job_statistic, server
from ..database.spi import Spi
from ..jobs.alerts import EVENTS, AlertEvent, SuccessDeadlines, alert
from ..jobs.run import EndedRun, Run, RunState
from .timers import Every

# Shorter runs never make an alert for taking long.
SHORTEST_OVERRUN = 1.0  # seconds
# How often the log says that alerts cannot be sent.
WARNING_INTERVAL = 60.0  # seconds


class Alerts:
    """Collects alerts during a transaction; they are sent when it is committed."""

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        self._unsent: list[str] = []
        # Jobs whose last run failed: one that succeeds next has recovered.
        self._failing: set[int] = set()
        self._failing_is_known = False
        self._deadlines = SuccessDeadlines()
        # By jl_id, for active runs that have taken some time: how many seconds those of their job usually take;
        # infinite, if that is not known or an alert has been made.
        self._usual: dict[int, float] = {}
        self._warn = Every(WARNING_INTERVAL)

    def begin(self) -> None:
        """Read what an earlier worker has left."""
        self.refresh()
        for row in job.success_deadlines(self._spi):
            self._deadlines.set(**row)

    def forget(self) -> None:
        """Send nothing of what the transaction has been about: it has failed."""
        self._unsent.clear()
        self._failing_is_known = False

    def refresh(self) -> None:
        """Read which jobs are failing, before more runs are counted."""
        if not self._failing_is_known:
            self._failing = job_statistic.failing_jobs(self._spi)
            self._failing_is_known = True

    def define(self, job_ids: Sequence[int]) -> None:
        """Follow what has been defined, changed or deleted."""
        for job_id in job_ids:
            self._deadlines.set(job_id, None)
        for row in job.success_deadlines(self._spi, job_ids):
            self._deadlines.set(**row)

    def add_disabled(self, job_ids: Iterable[int], now: float) -> None:
        """Note jobs that have been disabled because they failed too often."""
        self._unsent += [alert(AlertEvent.DISABLED, now, job_id) for job_id in job_ids]

    def add_ended(self, ended: Sequence[EndedRun], retried: set[int], now: float) -> None:
        """Note how runs have ended, and which of them are tried again."""
        for run in ended:
            event = None if run.cause == "trial" else self._event(run)
            if event is not None:
                self._unsent.append(
                    alert(
                        event,
                        now,
                        run.job_id,
                        jl_id=run.jl_id,
                        rolname=run.rolname,
                        datname=run.datname,
                        sqlstate=run.sqlstate,
                        attempt=run.attempt,
                        retry=run.jl_id in retried,
                    )
                )
        self._deadlines.succeeded([run.job_id for run in ended if run.state is RunState.SUCCEEDED], now)

    def _event(self, run: EndedRun) -> AlertEvent | None:
        if run.quarantined:
            return AlertEvent.QUARANTINED
        if run.failed:
            if run.job_id > 0:  # a run of no job does not come again
                self._failing.add(run.job_id)
        elif run.state is RunState.SUCCEEDED and run.job_id in self._failing:
            self._failing.remove(run.job_id)
            return AlertEvent.RECOVERED
        return EVENTS.get(run.state)

    def look_for_late(self, now: float, active: Iterable[Run], overrun_factor: float | None) -> None:
        """Note jobs that have not succeeded in time, and runs that take longer than they used to."""
        if overdue := self._deadlines.overdue(now):
            self._unsent += [alert(AlertEvent.OVERDUE, now, job_id) for job_id in overdue]
            job_state.note_overdue(self._spi, overdue, now)
        if overrun_factor is not None:
            self._look_for_overruns(active, overrun_factor, now)

    def _look_for_overruns(self, active: Iterable[Run], overrun_factor: float, now: float) -> None:
        long = [run for run in active if run.started is not None and now - run.started >= SHORTEST_OVERRUN]
        self._usual = {run.jl_id: self._usual[run.jl_id] for run in long if run.jl_id in self._usual}
        unknown = [run for run in long if run.jl_id not in self._usual]
        if unknown:
            usual = job_statistic.usual_durations(self._spi, [run.job_id for run in unknown])
            self._usual |= {run.jl_id: usual.get(run.job_id, math.inf) for run in unknown}
        for run in long:
            if now - (run.started or now) > self._usual[run.jl_id] * overrun_factor:
                self._usual[run.jl_id] = math.inf
                target = {"rolname": run.target.rolname, "datname": run.target.datname}
                self._unsent.append(
                    alert(AlertEvent.OVERRUN, now, run.job_id, jl_id=run.jl_id, **target, attempt=run.attempt)
                )

    def send(self, steady: float) -> None:
        """Send the alerts, in a transaction of their own: it fails while the server's queue is full because a session
        listens and does not read. Runs go on nevertheless."""
        payloads, self._unsent = self._unsent, []
        if not payloads:
            return
        try:
            server.notify(self._spi, payloads)
            self._spi.commit()
        except self._spi.Error as error:
            self._spi.rollback()
            if self._warn.begin_if_due(steady):
                self._spi.warning(f"elephant_worker could not send alerts: {error}")
