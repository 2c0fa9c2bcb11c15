"""The worker: starts what is due, several runs at once, and logs how each has ended.

One turn of its loop: wait for sockets or the time, take their steps, then one transaction that
logs what has ended, follows the inbox and claims what is due; what was claimed is started once
that is committed. A crash can so lose no run unseen and start none twice.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from typing import Any

from ..connection.poller import Poller
from ..connection.pool import Pool
from ..database.store import Settings, Store
from ..errors import UserError
from ..jobs.dispatch import Decisions, DispatchContext, after_set_back, decide, due_again, is_correction
from ..jobs.run import Outcome, Run, Target
from ..jobs.run_queue import Capacity, QueuedRun
from ..system.clock import Clock
from ..system.postmaster import exit_if_dead, is_stopping
from .completion import Completion
from .launch import SPARE_NAME, WORKER_NAME, launch
from .listener import Listener
from .log_retention import NEAR, PATIENCE, LogRetention
from .logins import Logins
from .remote_cancel import RemoteCancel
from .spare import Spare
from .vacuum import Vacuuming

# PostgreSQL acts on a shutdown only when the loop makes a call into it. A fast one ends the listener's
# connection, which wakes the loop; a smart one should not take long either.
LONGEST_WAIT = 2.0
# Where nobody tells the worker of new jobs, it looks for them so often.
POLL_INTERVAL_WITHOUT_LISTEN = 1.0
# How long after a failed transaction the next one is tried: doubled each time, up to the last.
RETRY_WAITS = (0.1, 5.0)
# How long after the listener has failed it is tried again; the inbox is looked into meanwhile.
LISTEN_AGAIN = 30.0
# How long before a job is due a session for it is opened.
PRECONNECT_LEAD = 0.15
# How long before a job is due its run is logged and its session made ready, so that it starts on time.
CLAIM_LEAD = 0.005
# Its command is sent so much after that, so that none sees a time at which it was not due: the wall clock
# may be slewed meanwhile.
START_GUARD = 0.0001
# How often the settings and the inbox are looked at while the listener hears of changes.
SETTINGS_POLL_INTERVAL = 5.0
# How many ended runs the timers may be late to forget.
TIMERS_KEPT = 200
# How often all that waits is read anew, at least: a request may come later than one of a higher number.
FILL_AGAIN = 5.0
# How long after the server had no connection left it is asked again.
NO_CONNECTION_WAIT = 0.05
# How long after a role could not be given a login, since somebody kept it locked, that is tried again.
REFUSED_WAIT = 5.0
# How long, beside cancel_grace, a session may take to end that has been terminated.
TERMINATE_TIMEOUT = 1.0
# A session whose run has begun less than this ago may be free again in a moment.
RECENT_START = 0.05
# What part of the slots may be held by runs that wait for other servers to answer.
ELSEWHERE = 0.5
# How much the clocks may part in one turn without one of them having been set.
LARGEST_SLEW = 0.5
# How often the mark below which no run is open is moved.
HOUSEKEEPING = 60.0
# How long after its start a worker drops what an update has left to its predecessor, whose session ends meanwhile.
PREDECESSOR_TIMEOUT = 5.0  # seconds

# The plans of the loop are for a few rows of large tables, whatever the statistics say; nothing
# may be sent to a client that is not there, nor may the loop be stopped for taking long.
SESSION = {
    "search_path": "pg_catalog, pg_temp",
    "client_min_messages": "error",
    "client_connection_check_interval": "0",
    "statement_timeout": "0",
    "lock_timeout": "1s",
    # Where it and DROP EXTENSION wait for each other, it is the worker that finds out and gives way.
    "deadlock_timeout": "100ms",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "timezone": "UTC",
    "datestyle": "ISO",
}


def run(plpy: Any, schema: str, host: str, attended: bool) -> dict[str, Any]:
    """The procedure `run_worker`: returns when the worker has ended, or why it may not be one."""
    before = {**_set(plpy, SESSION), "application_name": ""}
    store, clock = Store(plpy, schema), Clock()
    try:
        worker = None if host == "foreground" else store.worker_pid()
        if worker is None or _spare(plpy, store, clock, worker):
            # Where a worker has been stopped, only a person starts another one.
            Worker(plpy, store, clock, host).work(attended and worker is None)
    except UserError as user_error:
        plpy.rollback()
        return {"user_error": user_error.as_row() if attended else None}
    finally:
        _set(plpy, before)  # who ran the procedure in a session of their own goes on with it
    return {"user_error": None}


def _spare(plpy: Any, store: Store, clock: Clock, worker: int) -> bool:
    """Be the spare; returns whether to be the worker now."""
    try:
        _set(plpy, {"application_name": SPARE_NAME})
        return Spare(store, clock).wait(worker)
    except plpy.SPIError:
        plpy.rollback()
        if store.installed():
            raise
        return False


def _set(plpy: Any, settings: dict[str, str]) -> dict[str, str]:
    """Change settings of the session; returns what they were."""
    plan = plpy.prepare(
        "SELECT pg_catalog.current_setting($1) AS before, pg_catalog.set_config($1, $2, false)",
        ["pg_catalog.text"] * 2,  # whatever search_path the owner of the database has given it
    )
    before = {name: plpy.execute(plan, [name, value])[0]["before"] for name, value in settings.items()}
    plpy.commit()
    return before


class Worker:
    """The loop."""

    def __init__(self, plpy: Any, store: Store, clock: Clock, host: str) -> None:
        self._plpy = plpy
        self._store = store
        self._sequel = Completion(store, random.random)
        self._clock = clock
        self._host = host
        self._retention = LogRetention(store)
        self._leaving = False
        self._restarting = False
        self._stepped_down = False
        self._spare_ensured = False
        # Roles whose login somebody keeps locked, until when that is not tried again, and why.
        self._refused: dict[int, tuple[float, Outcome]] = {}
        # What there is to do: something in the inbox, the time of the first due job, runs that have
        # ended and are not logged yet.
        self._inbox = True
        self._next_due: float | None = None
        # The due time for which sessions have been opened ahead.
        self._preconnected_for: float | None = None
        self._unlogged: list[Run] = []
        # Moments of the steady clock.
        self._next_heartbeat = 0.0
        self._next_housekeeping = clock.steady() + HOUSEKEEPING
        self._drop_kept_at = clock.steady() + PREDECESSOR_TIMEOUT
        self._not_before = 0.0
        self._start_after = 0.0
        self._listen_at = 0.0
        self._warn_again = 0.0
        self._next_look = 0.0
        self._fill_again = 0.0
        self._vacuuming = Vacuuming(store.written)
        self._timers: list[tuple[float, int, Run]] = []
        # What the wall clock is ahead of the steady one.
        self._difference = clock.now() - clock.steady()
        self._retry_wait = RETRY_WAITS[0]
        self._listener: Listener | None = None

    # --- begin and end ----------------------------------------------------------------------

    def work(self, attended: bool) -> None:
        """Be the worker until told to leave. Raises UserError (55006) where there is one already, and,
        where nobody attends to it, where there should be none."""
        self._begin(attended)
        while not self._leaving or self._pool.active or self._unlogged:
            self._pool.turn(self._longest_wait())
            exit_if_dead()
            try:
                self._tick()
                self._retry_wait = RETRY_WAITS[0]
            except self._plpy.spiexceptions.QueryCanceled:
                self._store.rollback()
                self._leave("the worker was cancelled")
            except self._plpy.SPIError as error:
                self._store.rollback()
                if not self._store.installed():
                    break
                self._retry_later(error)
        self._end()

    def _begin(self, attended: bool) -> None:
        other = self._store.register(self._host, attended)
        if other is not None:
            raise UserError(
                "a worker is running already",
                f"Its process id is {other}.",
                "SELECT stop_worker(); ends it.",
                "55006",
            )
        if not self._store.is_registered():
            raise UserError(
                "the worker has been stopped",
                "Nobody has started it again since, or nobody has in this cluster.",
                "SELECT start_worker(); does.",
                "55000",
            )
        self._server = self._store.server()
        self._access = Logins(self._store, self._server)
        self._poller = Poller(self._clock)
        self._pool = Pool(self._poller, self._clock, self._access.login)
        self._signals = RemoteCancel(self._poller, self._clock)
        self._pulse = self._store.pulse()
        self._use(self._pulse)
        self._version = self._pulse.version
        self._store.commit()
        self._available_since = self._clock.now()
        stalled = self._store.recover_orphaned_runs()
        self._store.advance({job.job_id: due_again(job, job.scheduled_at, self._available_since) for job in stalled})
        self._sequel.begin(self._available_since)
        self._store.move_lowest_open_run()
        by = (self._store.newest_moment() or 0.0) - self._available_since
        if is_correction(by):
            self._shift_after_clock_step(by, self._available_since)
        self._store.enqueue_reboot_jobs()
        self._store.commit()
        # start_worker() waits for this.
        _set(self._plpy, {"application_name": WORKER_NAME})

    def _step_down(self) -> None:
        """End at once and log nothing: the extension is another one now, or another worker is there."""
        self._plpy.warning("elephant_worker: this worker is not the one of its database any more")
        self._stepped_down = self._leaving = True
        self._unlogged.clear()
        self._pool.close_all()

    def _end(self) -> None:
        self._pool.close_all()
        self._signals.close()
        if self._listener is not None:
            self._listener.close()
        self._vacuuming.close()
        try:
            if self._store.installed():
                self._store.unregister()
                if self._stepped_down and self._store.worker_pid() is not None:
                    return  # the runners are the other one's
        except self._plpy.SPIError:  # the extension is being dropped
            self._store.rollback()
        self._store.drop_runners()
        self._store.commit()
        if self._restarting:
            self._store.start_worker()
            self._store.commit()

    def _leave(self, reason: str) -> None:
        """Start nothing more, stop what runs, and end when all has ended."""
        self._leaving = True
        for run in list(self._pool.runs()):
            self._stop(run, "cancelled", reason)
        self._unlogged += self._pool.take_ended()  # those that had no session yet

    def _retry_later(self, error: Any) -> None:
        if error.sqlstate.startswith("22"):
            # What a run has said cannot be stored as it is, in a database of another encoding: it
            # must not keep the others from being logged.
            for run in self._unlogged:
                run.outcome = run.outcome.in_ascii() if run.outcome else None
        self._sequel.forget()
        self._plpy.warning(f"elephant_worker: {error}; trying again in {self._retry_wait} seconds")
        self._not_before = self._clock.steady() + self._retry_wait
        self._retry_wait = min(self._retry_wait * 2, RETRY_WAITS[1])

    # --- one turn ---------------------------------------------------------------------------

    def _longest_wait(self) -> float:
        steady = self._clock.steady()
        waits = [
            LONGEST_WAIT,
            self._next_heartbeat - steady,
            self._pool.close_idle(),
        ]
        if self._timers:
            waits.append(self._timers[0][0] - steady)
        if self._start_after > steady:
            waits.append(self._start_after - steady)
        if self._not_before > steady:
            waits.append(self._not_before - steady)
        elif self._inbox or self._unlogged:
            waits.append(0.0)
        elif self._may_start:
            if len(self._store.backlog):
                waits.append(0.0)
            elif self._next_due is not None:
                ahead = PRECONNECT_LEAD if self._preconnected_for != self._next_due else CLAIM_LEAD
                waits.append(self._next_due - ahead - self._clock.now())
        if self._at_leisure:
            waits.append(self._retention.next - steady)
        return max(0.0, min(waits))

    @property
    def _may_start(self) -> bool:
        return (
            not self._leaving
            and not self._pulse.paused
            and self._pool.active < self._pulse.max_running_jobs
            and self._clock.steady() >= self._start_after
        )

    @property
    def _is_listening(self) -> bool:
        """Whether it is told of what is put into the inbox."""
        return self._listener is not None and not self._listener.failure

    @property
    def _at_leisure(self) -> bool:
        """Whether there is time for what need not be done now."""
        soon = self._next_due is not None and self._next_due - self._clock.now() < NEAR
        return not (soon or self._inbox or len(self._store.backlog) or self._unlogged or self._leaving)

    def _tick(self) -> None:
        steady, now = self._clock.steady(), self._clock.now()
        self._compare_clocks(steady, now)
        for run in self._pool.take_restarted():
            self._await_start(run)
        for run in self._pool.take_started():
            self._timer(run, run.timeout)
        self._unlogged += self._pool.take_ended()
        self._stop_overdue(steady)
        if self._listener is not None and self._listener.heard:
            self._listener.heard = False
            self._inbox = True
        if steady >= self._next_heartbeat:
            self._heartbeat(steady)
        due = self._may_start and (
            len(self._store.backlog) > 0 or (self._next_due is not None and self._next_due - CLAIM_LEAD <= now)
        )
        if steady >= self._not_before and (due or self._inbox or self._unlogged):
            self._transact(steady, now)
        elif self._may_start and self._next_due is not None and self._next_due - PRECONNECT_LEAD <= now:
            self._preconnect()
        self._store.commit()
        self._tell()
        if steady >= self._retention.next + (0.0 if self._at_leisure else PATIENCE) and not self._leaving:
            self._prune(steady, now)

    def _compare_clocks(self, steady: float, now: float) -> None:
        """Notice that the wall clock was set, or that the machine slept: what was due meanwhile is
        missed time, as if no worker had been there."""
        before, self._difference = self._difference, now - steady
        jump = self._difference - before
        if jump > LARGEST_SLEW:
            self._plpy.warning(f"elephant_worker: the clock was set forward by {jump:.1f} seconds")
            self._available_since = now
        elif jump < -LARGEST_SLEW:
            self._plpy.warning(f"elephant_worker: the clock was set back by {-jump:.1f} seconds")
            self._available_since = min(self._available_since, now)
            self._shift_after_clock_step(-jump, now)

    def _shift_after_clock_step(self, by: float, now: float) -> None:
        """See to it that no job waits for the clock to come to where it was."""
        jobs = self._store.waiting(after_only=not is_correction(by))
        self._store.advance({job.job_id: after_set_back(job, by, now) for job in jobs})
        self._sequel.shift_after_clock_step(by)
        self._store.forget_scan_start()
        self._inbox = True  # the transaction that follows finds what is due first

    def _transact(self, steady: float, now: float) -> None:
        """Log what has ended, follow the inbox, claim what is due now, or so soon that it is claimed as if
        it were that moment; start that once it is committed, and then."""
        if self._next_due is not None and now < self._next_due <= now + CLAIM_LEAD:
            steady, now = steady + self._next_due - now + START_GUARD, self._next_due
        if self._unlogged:
            self._retention.add(self._store.log_ended(self._unlogged), self._clock.steady())
            self._sequel.of_runs(self._unlogged, now)
            if not self._store.backlog.left_out.isdisjoint(run.target.rolname for run in self._unlogged):
                self._store.backlog.forget()  # one of these roles may have more runs now
        self._sequel.enqueue_due_retries(now)
        self._inbox = self._inbox or self._sequel.wrote_inbox
        self._sequel.wrote_inbox = False
        messages = self._store.messages() if self._inbox else {}
        if "set" in messages:
            self._use(self._store.pulse())
        if "define" in messages:
            self._store.define(list(messages["define"]))
            self._sequel.define(list(messages["define"]))
        if "cancel" in messages:
            self._sequel.drop(list(messages["cancel"]))
        if "cancel run" in messages:
            self._store.withdraw(list(messages["cancel run"]))
        if self._may_start:
            decisions = self._claim(now)
        else:
            decisions = Decisions()
            if self._inbox:
                self._store.add_requests()
        next_due: float | None = now
        if not len(self._store.backlog):  # else something is due already
            moments = self._store.next_due(self._store.backlog.left_out), self._sequel.next_due()
            next_due = min((moment for moment in moments if moment is not None), default=None)
        self._store.commit()
        exit_if_dead()

        self._unlogged.clear()
        self._inbox = self._sequel.wrote_inbox
        self._next_due = next_due
        self._pool.saturated = len(self._store.backlog) > 0
        for run in decisions.runs:
            run.not_before = steady
            self._pool.start(run)
            self._await_start(run)
        for run in list(self._pool.runs()) if messages else ():
            if run.jl_id < messages.get("cancel", {}).get(run.job_id, 0):
                self._stop(run, "cancelled", "the run was cancelled by cancel_job()")
            elif run.jl_id in messages.get("cancel run", {}):
                self._stop(run, "cancelled", "the run was cancelled by cancel_run()")
        if "stop" in messages:
            self._leave("the worker was stopped")

    def _tell(self) -> None:
        """Send the alerts; the runs go on where that fails."""
        try:
            if self._sequel.notify():
                self._store.commit()
        except self._plpy.SPIError as error:
            self._store.rollback()
            if self._clock.steady() >= self._warn_again:
                self._warn_again = self._clock.steady() + HOUSEKEEPING
                self._plpy.warning(f"elephant_worker could not send alerts: {error}")

    def _prune(self, steady: float, now: float) -> None:
        """A step of keeping the log short; the runs go on where it fails."""
        try:
            self._retention.step(steady, now)
            self._store.commit()
        except self._plpy.SPIError as error:
            self._store.rollback()
            self._retention.fail(steady)
            self._plpy.warning(f"elephant_worker could not prune the log: {error}")

    def _preconnect(self) -> None:
        """Open sessions for the jobs that are due soon, so that they need not wait for them."""
        due, before = self._next_due, self._preconnected_for
        self._preconnected_for = due
        if due is None or due == before or not self._pool.kept:
            return
        room = self._room()
        missing = Counter(self._store.targets_due(due, room.slots))
        missing.subtract(self._pool.kept_by_target())
        targets = [*missing.elements()]
        if targets:
            targets = targets[: self._new_sessions()]
            refused = {target for target in set(targets) if self._login_refused(target) is not None}
            self._store.commit()
            for target in targets:
                if target not in refused:
                    self._pool.open(target)

    def _new_sessions(self) -> int:
        """How many sessions may be opened; those that are being opened the server does not count yet."""
        free = self._server.max_connections - self._store.connections() - self._pool.connecting
        return max(0, free - self._pulse.spare_connections)

    def _take(self, now: float) -> list[QueuedRun]:
        """What starts now of that which waits."""
        backlog, room = self._store.backlog, self._room()
        if len(backlog) < room.slots or self._clock.steady() >= self._fill_again:
            self._fill_again = self._clock.steady() + FILL_AGAIN
            self._store.fill_backlog(now, room.full_roles)
        else:
            self._store.extend_backlog(now)
            if self._inbox:
                self._store.add_requests()
        taken = backlog.take(room, now)
        if room.slots and len(backlog) and (room.full_roles or not taken):
            # The rest is of roles with as many runs as they may have, or there are no connections.
            self._store.fill_backlog(now, room.full_roles, taken)
            taken += backlog.take(room, now)
            if not taken and len(backlog):
                self._pool.close_free(backlog.needs_sessions(room))
                self._start_after = self._clock.steady() + NO_CONNECTION_WAIT
        return taken

    def _room(self) -> Capacity:
        steady = self._clock.steady()
        return Capacity(
            slots=self._pulse.max_running_jobs - self._pool.active,
            new_sessions=self._new_sessions,
            kept=self._pool.kept_targets(),
            quick={run.target.names for run in self._pool.runs() if steady - run.not_before < RECENT_START},
            running=Counter(run.target.rolname for run in self._pool.runs()),
            per_role=self._pulse.max_running_jobs_per_role,
            elsewhere=max(1, int(self._pulse.max_running_jobs * ELSEWHERE)) - self._pool.connecting_elsewhere,
        )

    def _claim(self, now: float) -> Decisions:
        waiting = self._take(now)
        if not waiting:
            return Decisions()
        active = Counter(run.job_id for run in self._pool.runs())
        moment = DispatchContext(now, self._available_since, self._pulse.start_grace)
        decisions = decide(self._store.claim(waiting, now), active, moment, self._store.new_id)
        self._prepare(decisions, now)
        if decisions.changed:
            self._store.define(decisions.changed)
        if decisions.next_run_at:
            self._store.advance(decisions.next_run_at, waiting)
        if decisions.quarantined:
            self._store.quarantine(decisions.quarantined)
        if decisions.runs or decisions.ended:
            self._forget_known(decisions, self._store.log_started([*decisions.runs, *decisions.ended]), now)
        if decisions.ended:
            self._retention.add(self._store.log_ended(decisions.ended), self._clock.steady())
            self._sequel.of_runs(decisions.ended, now)
        regular = [run.job_id for run in decisions.runs if run.cause == "schedule"]
        if regular:
            self._sequel.drop(regular)
        return decisions

    def _forget_known(self, decisions: Decisions, known: list[Run], now: float) -> None:
        """Drop the runs for due times that the log has already, whoever has put them there."""
        for run in known:
            (decisions.ended if run in decisions.ended else decisions.runs).remove(run)
            run.finished = now
        self._store.run_again(known)

    def _prepare(self, decisions: Decisions, now: float) -> None:
        """See to it that the runs can connect; those whose role cannot have ended already."""
        targets = set(self._pool.needs_session([run.target for run in decisions.runs]))
        # Another server, or whom the role is there, may have changed since a session was opened.
        targets |= {run.target for run in decisions.runs if run.target.server is not None}
        refused = {target: reason for target in targets if (reason := self._login_refused(target)) is not None}
        for run in [run for run in decisions.runs if run.target in refused]:
            decisions.runs.remove(run)
            decisions.ended.append(run)
            run.end(refused[run.target], now)

    def _login_refused(self, target: Target) -> Outcome | None:
        """Give a role a login; returns why that cannot be. Who keeps it locked keeps nobody else waiting."""
        steady = self._clock.steady()
        until, reason = self._refused.get(target.role_oid, (0.0, None))
        if reason is not None and steady < until and target.server is None:
            return reason
        try:
            if self._access.prepare(target):
                self._pool.replace_sessions(target)
        except UserError as user_error:
            return Outcome("failed", user_error.sqlstate, user_error.message, user_error.detail, user_error.hint)
        except self._plpy.SPIError as error:
            reason = _refused(error)
            if isinstance(error, self._plpy.spiexceptions.LockNotAvailable):
                self._refused[target.role_oid] = steady + REFUSED_WAIT, reason
            return reason
        self._refused.pop(target.role_oid, None)
        return None

    # --- now and then -----------------------------------------------------------------------

    def _heartbeat(self, steady: float) -> None:
        """See whether the server or the extension wants the worker to leave; now and then, look at what
        the listener should have heard of."""
        self._next_heartbeat = steady + (LONGEST_WAIT if self._is_listening else POLL_INTERVAL_WITHOUT_LISTEN)
        if not self._store.is_registered():
            self._step_down()
            return
        if steady >= self._next_look or not self._is_listening:
            self._next_look = steady + SETTINGS_POLL_INTERVAL
            self._pool.ceiling.refresh()
            self._use(self._store.pulse())
            self._inbox = self._inbox or self._pulse.inbox
            if self._pulse.version != self._version:
                self._leaving = self._restarting = True
        if is_stopping(self._server.data_directory):
            self._leaving = True
        self._signals.sweep()
        self._sequel.look_around(self._clock.now(), self._pool.runs(), self._pulse.overrun_factor)
        if steady >= self._next_housekeeping:
            self._next_housekeeping = steady + HOUSEKEEPING
            self._store.move_lowest_open_run()
            self._spare_ensured = False
            self._store.forget_scan_start()  # a restore may have put jobs before it
        if self._leaving:
            return
        if steady >= self._drop_kept_at:
            self._drop_kept_at = steady + HOUSEKEEPING
            self._store.drop_kept_objects()
        if not self._spare_ensured:
            self._ensure_spare()
        if steady >= self._listen_at:
            self._listen(steady)
        if self._vacuuming.wanted and self._vacuuming.idle(steady):
            self._vacuum(steady)

    def _ensure_spare(self) -> None:
        """See to it that there is a spare, which takes over where this process is ended unasked."""
        self._spare_ensured = True
        if self._host == "foreground" or self._store.has_spare():
            return
        try:
            link = launch(self._plpy, self._store.schema)
        except UserError as user_error:
            self._plpy.warning(f"elephant_worker has no spare: {user_error.message}: {user_error.detail}")
        else:
            if link is not None:
                self._poller.watch(link)

    def _vacuum(self, steady: float) -> None:
        if self._vacuuming.failure:
            self._plpy.warning(f"elephant_worker could not vacuum its tables: {self._vacuuming.failure}")
        rows = self._store.table_rows()
        conninfo = self._own_conninfo()
        link = self._vacuuming.start(rows, conninfo, steady) if conninfo else None
        if link is not None:
            self._poller.watch(link)

    def _own_conninfo(self) -> str | None:
        """How the worker itself connects, if it can."""
        target = Target(self._server.role_oid, self._server.rolname, self._server.datname)
        try:
            self._access.prepare(target)
        except self._plpy.SPIError as error:
            self._store.rollback()
            self._plpy.warning(f"elephant_worker cannot connect for itself: {error}")
            return None
        self._store.commit()
        return self._access.conninfo(target)

    def _use(self, pulse: Settings) -> None:
        """Follow the settings."""
        if self._pulse.paused and not pulse.paused:
            # What was due meanwhile is missed time, as if no worker had been there.
            self._available_since = self._clock.now()
        self._pulse = pulse
        if self._access.use(pulse):
            self._pool.replace_sessions()
        self._pool.kept = pulse.session_idle_time
        self._pool.lifetime = pulse.session_lifetime
        self._pool.max_idle = pulse.max_idle_sessions
        self._pool.track_usage = pulse.measure_cost
        self._retention.use(pulse)

    def _listen(self, steady: float) -> None:
        """Have an ear; where that fails, the inbox is looked into every second."""
        if self._is_listening:
            return
        self._listen_at = steady + LISTEN_AGAIN
        conninfo = self._own_conninfo()
        if conninfo is None:
            return
        if self._listener is not None:
            self._plpy.warning(f"elephant_worker did not hear of new jobs: {self._listener.failure}")
        self._listener = Listener(conninfo)
        self._poller.watch(self._listener)

    # --- stopping runs ----------------------------------------------------------------------

    def _timer(self, run: Run, seconds: float) -> None:
        if len(self._timers) > 2 * self._pool.active + TIMERS_KEPT:
            self._timers = [entry for entry in self._timers if entry[2].outcome is None]
            heapq.heapify(self._timers)
        heapq.heappush(self._timers, (self._clock.steady() + seconds, run.jl_id, run))

    def _await_start(self, run: Run) -> None:
        """See to it that a run does not wait for its session for ever."""
        if run.started is None:
            self._timer(run, self._access.connect_timeout(run.target))

    def _stop_overdue(self, steady: float) -> None:
        while self._timers and self._timers[0][0] <= steady:
            _, _, run = heapq.heappop(self._timers)
            if run.outcome is not None:
                continue
            if run.stopping is not None:
                self._terminate(run)
            elif run.started is None:
                self._pool.abandon(run, _no_connection(run, self._access.connect_timeout(run.target)))
            elif steady >= run.started_steady + run.timeout:
                self._stop(run, "timed out", f"the run took longer than job_timeout, {run.timeout:g} seconds")

    def _stop(self, run: Run, state: str, reason: str) -> None:
        """Cancel what the run's session executes; terminate the session if that does not end it."""
        if run.stopping is None:
            run.stopping = (state, reason)
            backend = self._pool.backend(run)
            if run.started is None or backend is None:
                self._pool.abandon(run, Outcome(state, "57014", message=reason))
            else:
                self._signal(run, "pg_cancel_backend", backend)
                self._timer(run, self._pulse.cancel_grace)

    def _terminate(self, run: Run) -> None:
        backend = self._pool.backend(run)
        if backend is None:
            return
        if run.terminated and run.target.server is not None:
            # Its server does not hear. Where it still executes the command, it misses its client soon.
            self._pool.abandon(run, Outcome("failed", "08006", message="The session did not end, and was given up."))
            return
        run.terminated = True
        self._signal(run, "pg_terminate_backend", backend)
        self._timer(run, self._pulse.cancel_grace + TERMINATE_TIMEOUT)

    def _signal(self, run: Run, function: str, backend: int) -> None:
        if run.target.server is None:
            self._store.signal(function, backend)
        else:
            self._signals.send(self._access.login(run.target).at(self._pool.address(run)), function, backend)


def _no_connection(run: Run, seconds: float) -> Outcome:
    return Outcome(
        "failed",
        "08001",
        message=f"no connection within {seconds:g} seconds",
        detail=f"The session was for {run.target}.",
        hint="The server's log may say more.",
    )


def _refused(error: Any) -> Outcome:
    """What PostgreSQL said when the run's role was to be given a login."""
    _, detail, hint, *_ = error.spidata
    return Outcome("failed", error.sqlstate, message=str(error), detail=detail, hint=hint)
