"""The alerts: which there are, writing them down and sending them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from ..database import alert, job, job_state, job_statistic, server
from ..database.spi import Spi
from ..jobs.alerts import (
    DISABLED,
    EVENTS,
    Alert,
    AlertEvent,
    Episodes,
    SuccessDeadlines,
    explain,
    explain_overdue,
    explain_overrun,
    follow,
    kind,
)
from ..jobs.run import EndedRun, Run, RunState
from ..system.clock import Clock
from .log_retention import LogRetention
from .metrics import Metrics
from .timers import Every, Portion

# Shorter runs never make an alert for taking long.
SHORTEST_OVERRUN = 1.0  # seconds
# Of how many jobs that have not succeeded in time one transaction tells, and for how long.
MOST_OVERDUE = 100  # jobs
OVERDUE_TIME = 0.02  # seconds
# How often the log says that alerts cannot be sent.
WARNING_INTERVAL = 60.0  # seconds


class Alerts:
    """Writes alerts in the transaction that is about what they say, and sends them when it is committed."""

    def __init__(self, spi: Spi, clock: Clock, retention: LogRetention, metrics: Metrics) -> None:
        self._spi = spi
        self._clock = clock
        self._retention = retention
        self._metrics = metrics
        # What this transaction has written, and what is committed and to be sent.
        self._uncommitted: list[Alert] = []
        self._unsent: list[Alert] = []
        # Jobs whose last run failed, or that do not run at all: one that succeeds next has recovered.
        self._failing: set[int] = set()
        self._failing_is_known = False
        # What has been told of jobs, as far as this worker knows; it asks before it tells more.
        self._episodes: dict[int, Episodes] = {}
        self._deadlines = SuccessDeadlines()
        self._deadlines_are_known = False
        # By jl_id, for active runs that have taken some time: how many seconds those of their job usually take;
        # infinite, if that is not known.
        self._usual: dict[int, float] = {}
        # Runs of which it was told that they take long, until their end is committed; and those of which it is told,
        # and whose end is logged, in this transaction.
        self._overrun: set[int] = set()
        self._told: set[int] = set()
        self._ended: set[int] = set()
        self._warn = Every(WARNING_INTERVAL)
        self._portion = Portion(MOST_OVERDUE, OVERDUE_TIME)
        # Whether there may be more jobs that are overdue than were told of.
        self.has_more = False

    def begin(self) -> None:
        """Read what an earlier worker has left."""
        self.refresh()

    def settle(self) -> None:
        """Have what was written be sent: it is committed."""
        if self._uncommitted or self._ended:
            self._unsent += self._uncommitted
            self._overrun = (self._overrun | self._told) - self._ended
            self._forget_transaction()

    def forget(self) -> None:
        """Forget what the transaction was about: it has failed, and what it told will be told by another one."""
        self._forget_transaction()
        self._episodes.clear()
        self._failing_is_known = self._deadlines_are_known = False

    def _forget_transaction(self) -> None:
        for uncommitted in (self._uncommitted, self._told, self._ended):
            uncommitted.clear()

    def refresh(self) -> None:
        """Read which jobs are failing or overdue, before more runs are counted."""
        if not self._failing_is_known:
            self._failing = job_statistic.failing_jobs(self._spi)
            self._failing_is_known = True
        self._read_deadlines()

    def _read_deadlines(self) -> None:
        if not self._deadlines_are_known:
            self._deadlines = SuccessDeadlines()
            for row in job.success_deadlines(self._spi):
                self._deadlines.expect(**row)
            self._deadlines_are_known = True

    def define(self, job_ids: Sequence[int]) -> None:
        """Follow what has been defined, changed or deleted."""
        for job_id in job_ids:
            self._deadlines.expect(job_id, None)
            self._episodes.pop(job_id, None)
        for row in job.success_deadlines(self._spi, job_ids):
            self._deadlines.expect(**row)

    def add_ended(
        self, ended: Sequence[EndedRun], retried: Collection[int], disabled: Iterable[int], now: float, steady: float
    ) -> None:
        """Tell how runs have ended, which of them are tried again, and which jobs have been disabled because they
        failed too often."""
        alerts = [Alert(AlertEvent.DISABLED, now, job_id, DISABLED) for job_id in disabled]
        ended = [run for run in ended if run.cause != "trial"]
        late = self._deadlines.succeeded([run.job_id for run in ended if run.state is RunState.SUCCEEDED], now)
        events = [self._event(run, late) for run in ended]
        self._read_episodes(run.job_id for run, event in zip(ended, events) if event is not None)
        for run, event in zip(ended, events):
            if event is not None:
                new = self._of_run(event, run, run.jl_id in retried, now)
                self._follow(new)
                alerts.append(new)
            if run.state is RunState.SUCCEEDED:
                self._end_episodes(run)
            self._ended.add(run.jl_id)
        self._write(alerts, steady)

    def _event(self, run: EndedRun, late: set[int]) -> AlertEvent | None:
        if run.quarantined or run.failed:
            if run.job_id > 0:  # a run of no job does not come again
                self._failing.add(run.job_id)
            return AlertEvent.QUARANTINED if run.quarantined else EVENTS[run.state]
        if run.state is RunState.SUCCEEDED and (run.job_id in self._failing or run.job_id in late):
            self._failing.discard(run.job_id)
            late.discard(run.job_id)
            return AlertEvent.RECOVERED
        return EVENTS.get(run.state)

    @staticmethod
    def _of_run(event: AlertEvent, run: EndedRun, retry: bool, now: float) -> Alert:
        return Alert(
            event,
            now,
            run.job_id,
            explain(event, run.message, run.sqlstate, retry),
            jl_id=run.jl_id,
            rolname=run.rolname,
            datname=run.datname,
            server=run.server,
            sqlstate=run.sqlstate,
            attempt=run.attempt,
            retry=retry,
        )

    def _read_episodes(self, job_ids: Iterable[int]) -> None:
        """Read what has been told of these jobs, if this worker has not told anything yet."""
        unknown = {job_id for job_id in job_ids if job_id > 0} - self._episodes.keys()
        if unknown:
            self._episodes |= alert.episodes(self._spi, sorted(unknown))

    def _follow(self, new: Alert) -> None:
        """Count an alert, and see whether people are told of it."""
        lasts = new.job_id > 0 and kind(new.event) in alert.KINDS
        follow(new, self._episodes[new.job_id] if lasts else {})

    def _end_episodes(self, run: EndedRun) -> None:
        """Have all be well with the job of a run that succeeded, but for runs that take long if this one did."""
        if episodes := self._episodes.get(run.job_id):
            long = episodes.get(AlertEvent.OVERRUN) if run.jl_id in self._overrun else None
            self._episodes[run.job_id] = {} if long is None else {AlertEvent.OVERRUN: long}

    def _write(self, alerts: Sequence[Alert], steady: float) -> None:
        """Write alerts down in this transaction, and have them sent when it is committed."""
        if alerts:
            alert.add(self._spi, alerts)
            self._retention.add_alerts([new.job_id for new in alerts], steady)
            self._metrics.add_alerts(alerts)
            self._uncommitted += alerts

    def look_for_late(self, now: float, steady: float, active: Iterable[Run], overrun_factor: float | None) -> None:
        """Tell of some jobs that have not succeeded in time, and of runs that take longer than they used to."""
        self._read_deadlines()
        began = self._clock.steady()
        overdue = self._deadlines.overdue(now, self._portion.size)
        self.has_more = len(overdue) == self._portion.size
        if overdue:
            job_state.note_overdue(self._spi, list(overdue), now)
        alerts = [Alert(AlertEvent.OVERDUE, now, job_id, explain_overdue(*late)) for job_id, late in overdue.items()]
        if overrun_factor is not None:
            alerts += self._overruns(active, overrun_factor, now)
        self._read_episodes(new.job_id for new in alerts)
        for new in alerts:
            self._follow(new)
        self._write(alerts, steady)
        self._portion.took(len(overdue), self._clock.steady() - began)

    def _overruns(self, active: Iterable[Run], overrun_factor: float, now: float) -> list[Alert]:
        long = [run for run in active if run.started is not None and now - run.started >= SHORTEST_OVERRUN]
        self._usual = {run.jl_id: self._usual[run.jl_id] for run in long if run.jl_id in self._usual}
        unknown = [run for run in long if run.jl_id not in self._usual]
        if unknown:
            usual = job_statistic.usual_durations(self._spi, [run.job_id for run in unknown])
            self._usual |= {run.jl_id: usual.get(run.job_id, math.inf) for run in unknown}
        alerts = []
        for run in long:
            taken, usual_time = now - (run.started or now), self._usual[run.jl_id]
            if taken > usual_time * overrun_factor and run.jl_id not in self._overrun:
                self._told.add(run.jl_id)
                alerts.append(self._of_long_run(run, explain_overrun(taken, usual_time), now))
        return alerts

    @staticmethod
    def _of_long_run(run: Run, explanation: str, now: float) -> Alert:
        rolname, datname, server = run.target.names
        return Alert(
            AlertEvent.OVERRUN,
            now,
            run.job_id,
            explanation,
            jl_id=run.jl_id,
            rolname=rolname,
            datname=datname,
            server=server,
            attempt=run.attempt,
        )

    def send(self, steady: float) -> None:
        """Send the alerts, in a transaction of their own: it fails while the server's queue is full because a session
        listens and does not read. Runs go on nevertheless."""
        alerts, self._unsent = self._unsent, []
        if not alerts:
            return
        try:
            server.notify(self._spi, [new.payload() for new in alerts])
            self._spi.commit()
        except self._spi.Error as error:
            self._spi.rollback()
            if self._warn.begin_if_due(steady):
                self._spi.warning(f"elephant_worker could not send alerts: {error}")
