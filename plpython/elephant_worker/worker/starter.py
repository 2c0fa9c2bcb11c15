"""Starts runs: knows when to look for due jobs, claims as many as can run, and has sessions ready for them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ..connection.pool import Pool
from ..database import job_log, job_state, server, worker_request, worker_state
from ..database.spi import Spi
from ..database.worker_setting import Settings
from ..errors import UserError
from ..jobs.dispatch import Decisions, DispatchContext, decide, is_withdrawn
from ..jobs.run import Outcome, Run, RunState, Target
from ..jobs.run_queue import Capacity, QueuedRun
from ..system.clock import Clock
from .clock_watch import ClockWatch
from .closed_gates import ClosedGates
from .completion import Completion
from .due_jobs import DueJobs
from .logins import Logins
from .timers import Every

# How long before a job is due a session for it is opened.
PRECONNECT_LEAD = 0.15  # seconds
# How long before a job is due its run is logged and its session made ready, so that it starts on time.
CLAIM_LEAD = 0.008  # seconds
# The command is sent this much after its due time, so that none sees a time at which it was not due: the wall
# clock may be slewed meanwhile.
START_GUARD = 0.0001  # seconds
# How often all that waits is read anew, at least: the jobs may have been given other roles or databases since.
FILL_INTERVAL = 5.0  # seconds
# How long after the server had no connection left it is asked again.
NO_CONNECTION_WAIT = 0.05  # seconds
# How long after a role could not be given a login, because somebody kept it locked, that is tried again.
LOCKED_ROLE_WAIT = 5.0  # seconds
# All such waits together take one of so many seconds, but for those by which roles are first found to be locked.
LOCKED_ROLES_SHARE = 10.0  # seconds for each second
# A session whose run began less than this ago may be free again in a moment.
RECENT_START = 0.05  # seconds
# How often it is looked at whether logins have changed, at least; and whenever something is asked for, so that what is
# asked for after a change is done after it.
LOGINS_INTERVAL = 0.02  # seconds
# What part of max_running_jobs may wait for other servers to answer.
REMOTE_SHARE = 0.5  # of max_running_jobs


class Starter:
    """Knows when the next job is due."""

    def __init__(
        self,
        spi: Spi,
        clock: Clock,
        pool: Pool,
        logins: Logins,
        due_jobs: DueJobs,
        completion: Completion,
        clock_watch: ClockWatch,
        max_connections: int,
        settings: Settings,
    ) -> None:
        self._spi = spi
        self._clock = clock
        self._pool = pool
        self._logins = logins
        self._due_jobs = due_jobs
        self._completion = completion
        self._clock_watch = clock_watch
        self._max_connections = max_connections
        self._closed_gates = ClosedGates(spi, clock, pool)
        # What the last claim was about.
        self.picked: list[QueuedRun] = []
        # When the next job is due, as far as is known.
        self._next_due: float | None = None
        # The due time for which sessions have been opened ahead.
        self._preconnected_for: float | None = None
        self._fill = Every(FILL_INTERVAL)
        self._look_at_logins = Every(LOGINS_INTERVAL)
        # Until this moment of the steady clock nothing can start: the server had no connection left.
        self._full_until = 0.0
        # Roles whose login somebody keeps locked, until when that is not tried again, and why.
        self._locked_roles: dict[int, tuple[float, Outcome]] = {}
        # Until when none of them is tried.
        self._locked_until = 0.0
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Follow the settings."""
        self._settings = settings
        self._closed_gates.limits_roles = settings.connect_as == "role"

    # --- when -------------------------------------------------------------------------------

    @property
    def can_start(self) -> bool:
        """Whether another run may start."""
        settings = self._settings
        return (
            not settings.paused
            and self._pool.active < settings.max_running_jobs
            and self._clock.steady() >= self._paused_until
        )

    def has_due(self, now: float) -> bool:
        """Whether something is due, or so soon that it can be claimed."""
        return self._due_jobs.has_more or self._is_due_within(CLAIM_LEAD, now)

    def is_quiet(self, seconds: float, now: float) -> bool:
        """Whether nothing waits, and nothing is due within this many seconds."""
        return not self._due_jobs.has_more and not self._is_due_within(seconds, now)

    def _is_due_within(self, seconds: float, now: float) -> bool:
        return self._next_due is not None and self._next_due - seconds <= now

    def seconds_until_next(self) -> float:
        """How long to wait for the next thing to do here."""
        return min(self._closed_gates.seconds_until_look(), self._seconds_until_run())

    def _seconds_until_run(self) -> float:
        if (pause := self._paused_until - self._clock.steady()) > 0:
            return pause
        if not self.can_start:
            return math.inf  # until a run ends or the settings change
        if self._due_jobs.has_more:
            return 0.0
        if self._next_due is None:
            return math.inf
        lead = PRECONNECT_LEAD if self._preconnected_for != self._next_due else CLAIM_LEAD
        return self._next_due - lead - self._clock.now()

    def moment(self, steady: float, now: float) -> tuple[float, float]:
        """The moment, by both clocks, at which the runs that are claimed now are to start: now, or when the next
        job is due, if that is so soon that its run can be made ready."""
        due = self._next_due
        if due is not None and now < due <= now + CLAIM_LEAD:
            return steady + due - now + START_GUARD, due
        return steady, now

    @property
    def _paused_until(self) -> float:
        return max(self._full_until, self._clock_watch.paused_until)

    def look_for_closed_gates(self, now: float) -> None:
        """See whether roles and databases have been closed or opened to sessions, if it is time to."""
        if self._closed_gates.seconds_until_look() <= 0 and self._closed_gates.look():
            self._due_jobs.queue.forget()
            self._next_due = now  # of jobs that are due, and of runs that were asked for

    def look_for_next(self, now: float) -> None:
        """Find out when the next job, or the next retry, is due."""
        if self._due_jobs.has_more:
            self._next_due = now
        else:
            moments = self._due_jobs.next_due(now), self._completion.retries.next_due()
            self._next_due = min((moment for moment in moments if moment is not None), default=None)

    # --- sessions ahead ---------------------------------------------------------------------

    def preconnect(self, now: float) -> None:
        """Open sessions for the jobs that are due soon, so that they need not wait for them."""
        due, before = self._next_due, self._preconnected_for
        if due is None or not self._is_due_within(PRECONNECT_LEAD, now):
            return
        self._preconnected_for = due
        if due == before or not self._pool.idle_timeout:
            return
        missing = Counter(self._due_jobs.targets(due, self._settings.max_running_jobs - self._pool.active))
        missing.subtract(self._pool.idle_by_target())
        if targets := self._closed_gates.admitted(missing.elements()):
            targets = targets[: self._new_sessions()]
            refused = {target for target in set(targets) if self._login_refused(target) is not None}
            self._spi.commit()
            for target in targets:
                if target not in refused:
                    self._pool.open(target)

    def _new_sessions(self) -> int:
        """How many sessions may be opened. The server does not yet count those that are being opened."""
        free = self._max_connections - server.connections(self._spi) - self._pool.connecting
        return max(0, free - self._settings.spare_connections)

    # --- claims -----------------------------------------------------------------------------

    def claim(self, now: float, has_news: bool, limit: int | None = None) -> list[Run]:
        """The runs that start now, logged as running; to be started once that is committed. At most so many."""
        self.picked = []
        self.picked = waiting = self._pick_runs(now, has_news, limit)
        if not waiting:
            return []
        active = Counter(run.job_id for run in self._pool.runs())
        runs = self._begin_known(waiting, active, self._context(now))
        begun = {run.job_id for run in runs}
        if rest := [entry for entry in waiting if entry.request_id or entry.job_id not in begun]:
            runs = sorted(
                [*runs, *self._begin_others(rest, active, now)], key=lambda run: (run.scheduled_at, run.job_id)
            )
        if regular := [run.job_id for run in runs if run.cause == "schedule"]:
            self._completion.drop_retries(regular, now)
        return runs

    def _context(self, now: float) -> DispatchContext:
        return DispatchContext(now, self._clock_watch.available_since, self._settings.start_grace)

    def _begin_known(self, waiting: Sequence[QueuedRun], active: Counter[int], context: DispatchContext) -> list[Run]:
        """Begin the runs of jobs that are known, and of which nothing is to be written but that they run and when they
        are due again; as far as they are what is known of them."""
        jobs = self._due_jobs.known(waiting, self._clock.steady(), context.now)
        if not jobs:
            return []
        decisions = decide(jobs, active, context, lambda: 0)
        more = {run.job_id for run in decisions.ended} | decisions.due_after_run.keys()
        decisions.runs = [run for run in decisions.runs if run.job_id not in more]
        self._prepare_logins(decisions, context.now)
        return self._due_jobs.begin_known(decisions.runs, decisions.next_run_at, waiting) if decisions.runs else []

    def _begin_others(self, waiting: Sequence[QueuedRun], active: Counter[int], now: float) -> list[Run]:
        """Begin the runs of jobs as they are read now, and log those that end before they begin."""
        jobs = self._due_jobs.claim(waiting, now)
        context = self._context(max(now, self._clock_watch.now()))  # what was asked for meanwhile is among them
        unseen = [job.job_id for job in jobs if job.job_id > 0 and not job.has_state]
        if unseen:  # asked for in the transaction that defined them, and read before its other messages
            self._define(unseen, context)
        decisions = decide(jobs, active, context, lambda: worker_request.new_id(self._spi))
        self._due_jobs.take(waiting, decisions.postponed)
        retried = (job.job_id for job in jobs if job.cause == "retry" and job.jl_id not in decisions.postponed)
        self._completion.retries.take(retried)
        self._prepare_logins(decisions, context.now)
        self._have_due_again(decisions)
        if decisions.changed:
            self._define(decisions.changed, context)
        if decisions.next_run_at:
            self._due_jobs.advance(decisions.next_run_at, waiting)
        if decisions.due_after_run:
            job_state.wait_for_run(self._spi, decisions.due_after_run)
        if decisions.quarantined:
            self._due_jobs.quarantine(decisions.quarantined)
        if decisions.runs or decisions.ended:
            self._drop_known(decisions, job_log.begin(self._spi, [*decisions.runs, *decisions.ended]), context.now)
        if requested := [run.jl_id for run in decisions.runs if run.cause != "schedule"]:
            worker_state.lower_lowest_open_run(self._spi, min(requested))
        if decisions.ended:
            self._completion.log(decisions.ended, context.now)
        return decisions.runs

    def end_withdrawn(self, request_ids: Sequence[int], now: float) -> None:
        """Log the runs that have been asked for by those of these requests that have been cancelled."""
        jobs = [job for job in worker_request.claim(self._spi, request_ids) if is_withdrawn(job)]
        ended = decide(jobs, Counter(), self._context(now), lambda: worker_request.new_id(self._spi)).ended
        worker_request.take(self._spi, [job.jl_id for job in jobs])
        self._completion.retries.take(job.job_id for job in jobs if job.cause == "retry")
        if ended:
            job_log.begin(self._spi, ended)
            self._completion.log(ended, now)

    def _define(self, job_ids: Sequence[int], context: DispatchContext) -> None:
        """Follow definitions whose messages have not been taken yet."""
        committed = worker_request.definitions(self._spi, job_ids)
        self._completion.define(committed, context.now, context.available_since)

    def _have_due_again(self, decisions: Decisions) -> None:
        """Have jobs that wait for a run of theirs be due when it ends."""
        waiting = decisions.due_after_run
        for run in [*self._pool.runs(), *decisions.runs, *decisions.ended] if waiting else ():
            if run.missed_count is None:  # what was missed is no run, and has ended at once
                run.resume_at = waiting.get(run.job_id, run.resume_at)

    def _pick_runs(self, now: float, has_news: bool, limit: int | None) -> list[QueuedRun]:
        """Which of the waiting runs start now."""
        due_jobs, queue = self._due_jobs, self._due_jobs.queue
        if self._closed_gates.look():
            queue.forget()
        if self._look_at_logins.begin_if_due(self._clock.steady()) or has_news:
            self._pool.replace_outdated(self._logins.versions(self._pool.roles_here()))
        capacity = self._capacity()
        if limit is not None:
            capacity.slots = min(capacity.slots, limit)
        by_role, slots = capacity.per_role is not None, capacity.slots
        if len(queue) < capacity.slots or self._fill.begin_if_due(self._clock.steady()):
            self._fill.restart(self._clock.steady())
            due_jobs.fill(now, capacity.held, (), slots, by_role)
        else:
            due_jobs.extend(now)
            if has_news:
                due_jobs.add_requests()
        picked = queue.take(capacity, now)
        if capacity.full:
            self._closed_gates.close(capacity.full)
        if capacity.slots and len(queue) and (capacity.held or not picked):
            # The rest is of full roles or databases, or there are no connections.
            if capacity.full or not by_role:
                due_jobs.fill(now, capacity.held, picked, slots, by_role)
            else:
                queue.hold(capacity.held)  # of all other roles enough has been read
            picked += queue.take(capacity, now)
            if not picked and len(queue):
                self._pool.close_free(queue.needs_sessions(capacity))
                self._full_until = self._clock.steady() + NO_CONNECTION_WAIT
        return picked

    def _capacity(self) -> Capacity:
        steady, settings = self._clock.steady(), self._settings
        return Capacity(
            slots=settings.max_running_jobs - self._pool.active,
            new_sessions=self._new_sessions,
            idle=self._pool.idle_sessions(),
            recent={run.target.names for run in self._pool.runs() if steady - run.not_before < RECENT_START},
            running=Counter(run.target.rolname for run in self._pool.runs()),
            per_role=settings.max_running_jobs_per_role,
            closed=self._closed_gates.closed,
            room=self._closed_gates.room,
            new_remote_sessions=max(1, int(settings.max_running_jobs * REMOTE_SHARE)) - self._pool.connecting_elsewhere,
        )

    def _drop_known(self, decisions: Decisions, known: Sequence[Run], now: float) -> None:
        """Drop the runs for due times that are in the log already."""
        for run in known:
            (decisions.ended if run in decisions.ended else decisions.runs).remove(run)
            run.finished = now
        self._due_jobs.run_again(known)

    # --- logins -----------------------------------------------------------------------------

    def _prepare_logins(self, decisions: Decisions, now: float) -> None:
        """Make sure that the runs can connect; if a role cannot, its runs end here."""
        targets = set(self._pool.needs_session([run.target for run in decisions.runs]))
        # Another server, or the user mapping of the role, may have changed since a session was opened.
        targets |= {run.target for run in decisions.runs if run.target.server is not None}
        refused = {target: reason for target in targets if (reason := self._login_refused(target)) is not None}
        for run in [run for run in decisions.runs if run.target in refused]:
            decisions.runs.remove(run)
            decisions.ended.append(run)
            run.end(refused[run.target], now)

    def _login_refused(self, target: Target) -> Outcome | None:
        """Give a role a login; returns why that is impossible. A role that somebody keeps locked delays no other."""
        steady = self._clock.steady()
        until, reason = self._locked_roles.get(target.role_oid, (0.0, None))
        if reason is not None and steady < max(until, self._locked_until) and target.server is None:
            return reason
        try:
            if self._logins.prepare(target):
                self._pool.replace_sessions(target)
        except UserError as user_error:
            return Outcome.of(user_error)
        except self._spi.Error as error:
            reason = Outcome.of(UserError.of(error))
            if isinstance(error, self._spi.exceptions.LockNotAvailable):
                reason = _locked(target.rolname)
                now = self._clock.steady()
                self._locked_roles[target.role_oid] = now + LOCKED_ROLE_WAIT, reason
                self._locked_until = now + (now - steady) * (LOCKED_ROLES_SHARE - 1)
            return reason
        self._locked_roles.pop(target.role_oid, None)
        return None


def _locked(rolname: str) -> Outcome:
    """How a run ends whose role cannot be given a login."""
    return Outcome(
        RunState.FAILED,
        "55P03",
        f'role "{rolname}" could not be given a login',
        "Another transaction is changing it, or holds a lock on its login role or on a catalog of roles.",
        "The runs that begin when that transaction has ended can connect; pg_locks shows who holds the lock.",
    )
