"""The worker: starts what is due, several runs at once, and logs how each has ended.

It waits for sockets or the time, takes the steps that are possible, and then, in one transaction, logs what has
ended, follows the inbox and claims what is due; what was claimed is started once that is committed. A crash never
loses a run silently and never starts one twice.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..connection.poller import Poller
from ..connection.pool import Pool
from ..database import job_log, job_state, login_role, server, withdrawal, worker_request, worker_setting, worker_state
from ..database.spi import Spi
from ..database.worker_request import Messages
from ..database.worker_setting import Settings
from ..jobs.dispatch import due_again, is_correction, runs_at_reboot
from ..jobs.run import NOT_READY, Outcome, Run, RunState, stopped_hint
from ..system import client_socket
from ..system.clock import Clock
from ..system.postmaster import exit_if_dead, is_stopping
from .clock_watch import ClockWatch
from .completion import Completion
from .due_jobs import DueJobs
from .housekeeping import Housekeeping
from .inbox import Inbox
from .launch import FAILING_NAME, STOOD_STILL_NAME, WORKER_NAME
from .life import Life
from .log_retention import STEP_TIME, LogRetention
from .logins import Logins
from .starter import Starter
from .suspicion import PASSING, Stage, Suspicion
from .timeouts import Timeouts
from .timers import Backoff, Every, Portion
from .withdrawn import Withdrawn

# PostgreSQL acts on a shutdown only when the loop makes a call into it. A fast one ends the listener's
# connection, which wakes the loop; a smart one should not take long either.
LONGEST_WAIT = 2.0  # seconds
# How often the inbox and the settings are read while nothing tells the worker of new jobs.
POLL_INTERVAL_WITHOUT_LISTEN = 1.0  # seconds
# How often the settings and the inbox are looked at while the listener hears of changes.
SETTINGS_POLL_INTERVAL = 5.0  # seconds
# How many messages one transaction follows, and for how long: more of them must not keep runs waiting.
MESSAGES_AT_ONCE = 500  # messages
MESSAGES_TIME = 0.02  # seconds
# How long after a failed transaction the next one is tried: at first, and at most.
FIRST_RETRY_WAIT = 0.1  # seconds
LONGEST_RETRY_WAIT = 5.0  # seconds
# How long a worker that leaves waits for connections that are just being made, or have asked for something.
SETTLE_TIMEOUT = 1.0  # seconds
# How often a worker that is to end tries to log what has ended: with these waits, for 6 seconds.
LAST_ATTEMPTS = 7  # transactions


class Worker:
    """The loop of a process that is registered as the worker of its database."""

    def __init__(self, spi: Spi, clock: Clock, host: str, stalled_at: float) -> None:
        self._spi = spi
        self._clock = clock
        self._host = host
        self._life = Life.SERVING
        self._server = server.read(spi)
        self._settings = worker_setting.read(spi)
        self._version = self._settings.version
        self._logins = Logins(spi, self._server)
        self._poller = Poller(clock)
        self._pool = Pool(self._poller, clock, self._logins.login)
        self._timeouts = Timeouts(spi, clock, self._poller, self._pool, self._logins)
        self._inbox = Inbox(spi)
        self._due_jobs = DueJobs(spi, self._inbox)
        self._retention = LogRetention(spi)
        self._completion = Completion(spi, clock, self._inbox, self._due_jobs, self._retention, random.random)
        self._clock_watch = ClockWatch(spi, clock, self._inbox, self._due_jobs, self._completion.retries)
        self._clock_watch.pause_after_stall(stalled_at, self._settings.pause_after_stall)
        self._starter = Starter(
            spi,
            clock,
            self._pool,
            self._logins,
            self._due_jobs,
            self._completion,
            self._clock_watch,
            self._server.max_connections,
            self._settings,
        )
        self._withdrawn = Withdrawn(spi, self._starter.end_withdrawn)
        self._housekeeping = Housekeeping(
            spi, self._poller, self._logins, self._server, self._due_jobs, clock.steady(), host != "foreground"
        )
        # Runs that are in the log and not started yet.
        self._claimed: list[Run] = []
        # Runs that have ended and are not logged yet.
        self._unlogged: list[Run] = []
        # How many transactions have failed since one has succeeded, and what its session is called.
        self._failures = 0
        self._name = ""
        # Why it ends.
        self._farewell = ""
        self._next_heartbeat = 0.0  # a moment of the steady clock
        self._look = Every(SETTINGS_POLL_INTERVAL)
        self._messages = Portion(MESSAGES_AT_ONCE, MESSAGES_TIME)
        self._backoff = Backoff(FIRST_RETRY_WAIT, LONGEST_RETRY_WAIT)
        self._suspicion = Suspicion(spi)
        self._use(self._settings)

    # --- begin and end ----------------------------------------------------------------------

    def work(self, follows: int | None) -> None:
        """Be the worker until told to leave; in place of another process, if it follows one."""
        while self._life is Life.SERVING and not self._has_begun():
            self._pool.turn(min(max(0.0, self._backoff.next - self._clock.steady()), LONGEST_WAIT))
            exit_if_dead()
            self._clock_watch.stay_awake()
        if self._life is Life.SERVING:
            # What became due while it began is missed time too, also of jobs that were defined meanwhile.
            self._clock_watch.interrupt()
            self._log("has started" if follows is None else f"has taken over from process {follows}")
        while self._life is Life.SERVING or self._pool.active or self._claimed or self._unlogged:
            self._pool.turn(self._seconds_to_wait())
            exit_if_dead()
            try:
                self.tick()
            except self._spi.exceptions.QueryCanceled:
                self._roll_back()
                self._leave("the worker was cancelled")
            except self._spi.Error as error:
                self._roll_back()
                if not server.is_installed(self._spi):
                    self._farewell = "the extension was dropped"
                    break
                self._fail(error.sqlstate, error)
            except Exception as error:  # a defect of this package must not keep jobs from running
                self._roll_back()
                self._fail("XX000", error)
        self._end()

    def _has_begun(self) -> bool:
        """Begin; returns whether that was possible. What passes by itself is tried again: no other is the worker, so
        nothing would run."""
        try:
            self._begin()
        except self._spi.exceptions.QueryCanceled:
            self._roll_back()
            self._leave("the worker was cancelled")
            return False
        except self._spi.Error as error:
            self._roll_back()
            if not server.is_installed(self._spi):
                self._drain("the extension was dropped")
            elif error.sqlstate.startswith(PASSING):
                self._fail(error.sqlstate, error)
            else:
                raise
            return False
        self._backoff.succeed()
        return True

    def _begin(self) -> None:
        self._spi.commit()  # from now on it is registered
        now = self._clock_watch.available_since
        login_role.terminate_runners(self._spi)
        login_role.drop_runners(self._spi)  # some may be of another cluster, out of a dump of roles
        worker_request.advance_sequences(self._spi)
        worker_request.renumber(self._spi)
        withdrawal.forget_started(self._spi)
        self._due_jobs.given_away.begin()
        self._withdrawn.begin()
        job_state.resume(self._spi)
        job_state.learn_roles(self._spi)
        worker_state.follow_restored_log(self._spi)
        if not self._attempt("counts no lost runs", lambda: job_log.end_orphaned_runs(self._spi, counted=True)):
            job_log.end_orphaned_runs(self._spi, counted=False)
        self._attempt("does not know when jobs with lost runs are due", lambda: self._have_stalled_jobs_due(now))
        if not self._attempt("lets nothing follow from lost runs", lambda: self._completion.begin(now)):
            self._completion.forget()
        worker_state.move_lowest_open_run(self._spi)
        ahead = (job_log.newest_moment(self._spi) or 0.0) - now
        if is_correction(ahead):
            self._attempt("does not follow the clock", lambda: self._clock_watch.shift_due_times(ahead, now))
        self._attempt("does not run @reboot jobs", lambda: self._enqueue_reboot_jobs(now))
        self._spi.commit()
        # start_worker() waits for this.
        self._call_itself(WORKER_NAME)
        if self._host == "session":
            client_socket.replace()

    def _attempt(self, failure: str, step: Callable[[], None]) -> bool:
        """Do a step of the beginning, or leave it out if it fails: whatever a row holds, the worker must begin."""
        try:
            with self._spi.subtransaction():
                step()
        except Exception as error:
            if isinstance(error, self._spi.Error) and error.sqlstate.startswith(PASSING):
                raise
            self._spi.warning(f"elephant_worker {failure}: {error!r}")
            return False
        return True

    def _enqueue_reboot_jobs(self, now: float) -> None:
        """Ask for a run of each @reboot job, if the server has been started since they last ran."""
        if worker_request.note_server_start(self._spi):
            jobs = [job.job_id for job in job_state.at_reboot(self._spi) if runs_at_reboot(job, now)]
            worker_request.enqueue_reboot_jobs(self._spi, jobs)

    def _have_stalled_jobs_due(self, now: float) -> None:
        """Have jobs be due again that waited for a run which was lost."""
        stalled = job_log.stalled_jobs(self._spi)
        self._due_jobs.advance({job.job_id: due_again(job, job.scheduled_at, now) for job in stalled})

    def _step_down(self) -> None:
        """End at once and log nothing: the extension is another one now, or another worker is there."""
        self._spi.warning("elephant_worker: this worker is no longer the one of its database")
        self._farewell = "the extension was created anew, or another worker is there"
        self._life = Life.STEPPED_DOWN
        self._unlogged.clear()
        self._pool.close_all()

    def _drain(self, reason: str) -> None:
        """Start nothing more, and end when all that runs has ended."""
        if self._life is Life.SERVING:
            self._farewell = reason
        if self._life is not Life.STEPPED_DOWN:
            self._life = Life.DRAINING

    def _leave(self, reason: str) -> None:
        """Start nothing more, stop what runs, and end when that has ended."""
        self._drain(reason)
        for run in list(self._pool.runs()):
            self._timeouts.stop(run, RunState.CANCELLED, reason)
        for run in self._claimed:
            hint = stopped_hint(RunState.CANCELLED, run.cause)
            run.end(Outcome(RunState.CANCELLED, "57014", reason, "It had not started.", hint), self._clock.now())
        self._unlogged += self._claimed
        self._claimed = []
        self._unlogged += self._pool.take_ended()  # those that had no session yet

    def _leave_as_told(self, by: str | None) -> None:
        self._leave("the worker was stopped")
        self._farewell = f'stopped by role "{by}"'

    def _end(self) -> None:
        self._log(f"ends: {self._farewell}")
        with suppress(Exception):  # it leaves all the same
            self._poller.settle(SETTLE_TIMEOUT)
        self._pool.close_all()
        self._timeouts.close()
        self._housekeeping.close()
        try:
            if server.is_installed(self._spi):
                if self._life is not Life.STEPPED_DOWN:
                    self._completion.metrics.write()
                elif worker_state.worker_pid(self._spi) not in (None, os.getpid()):
                    self._spi.commit()
                    return  # the runners are the other worker's
        except self._spi.Error:  # the extension is being dropped
            self._spi.rollback()
        try:
            login_role.drop_runners(self._spi)
        except self._spi.Error as error:
            self._spi.rollback()
            self._spi.warning(f"elephant_worker could not leave as it should: {error}")
        try:
            # Not before its runners are gone: those of the next worker have the same names.
            if server.is_installed(self._spi):
                worker_state.unregister(self._spi)
        except self._spi.Error:
            self._spi.rollback()
        try:
            self._spi.commit()
            if self._life is Life.RESTARTING:
                worker_state.start_worker(self._spi)
                self._spi.commit()
        except self._spi.Error as error:
            self._spi.rollback()
            self._spi.warning(f"elephant_worker could not leave as it should: {error}")

    def _log(self, what: str) -> None:
        self._spi.log(
            f'elephant_worker: the worker of database "{self._server.datname}" (process {os.getpid()}) {what}'
        )

    def _roll_back(self) -> None:
        """Undo a transaction that has failed, and forget all that was read in it."""
        self._spi.rollback()
        self._due_jobs.forget()
        self._completion.forget()
        self._withdrawn.forget()
        self._inbox.forget()

    def _fail(self, sqlstate: str, error: Exception) -> None:
        """Try again later what has failed; obey stop_worker() all the same, whose message has not been taken."""
        self._try_again_later(sqlstate, error)
        self._failures += 1
        if self._failures > 1:
            self._call_itself(f"{FAILING_NAME} {sqlstate}")
        try:
            by = worker_state.stopped_by(self._spi)
            self._spi.commit()
        except self._spi.Error:
            self._spi.rollback()
            return
        if by is not None and self._life is not Life.DRAINING:
            self._leave_as_told(by)
        if self._life is Life.DRAINING and self._failures >= LAST_ATTEMPTS and not self._pool.active:
            self._spi.warning(f"elephant_worker ends without logging the end of {len(self._unlogged)} runs")
            self._unlogged.clear()

    def _call_itself(self, name: str) -> None:
        """Tell worker_status how the worker is, which is possible also where nothing can be written."""
        if name != self._name:
            self._name = name
            self._spi.set_session({"application_name": name})

    def _try_again_later(self, sqlstate: str, error: Exception) -> None:
        if sqlstate.startswith("22"):
            # In a database of another encoding, what a run has said cannot be stored as it is: that must not
            # keep others from being logged.
            for run in self._unlogged:
                run.outcome = run.outcome.in_ascii() if run.outcome else None
        seconds = self._backoff.fail(self._clock.steady())
        self._spi.warning(f"elephant_worker: {error!r}; trying again in {seconds} seconds")
        retries, told = self._completion.retries.taken, self._completion.dependencies.told
        if self._suspicion.of(sqlstate, self._unlogged, retries, self._inbox.taken, told, self._starter.picked, error):
            self._backoff.end()

    # --- the loop ---------------------------------------------------------------------------

    def tick(self) -> None:
        """Do what there is to do now."""
        steady, now = self._clock.steady(), self._clock.now()
        if self._clock_watch.compare(steady, now):
            self._clock_watch.pause_after_stall(self._clock.steady(), self._settings.pause_after_stall)
        if self._claimed:
            self._start_claimed(steady)
        self._timeouts.follow_pool()
        self._unlogged += self._pool.take_ended()
        self._timeouts.stop_overdue(steady)
        if self._housekeeping.listener.take_heard():
            self._inbox.note()
        if is_heartbeat := steady >= self._next_heartbeat:
            self._heartbeat(steady, now)
        self._starter.look_for_closed_gates(now)
        if self._has_work(steady, now):
            self._transact(steady, now)
        elif self._may_start:
            self._starter.preconnect(now)
        if is_heartbeat and self._life is not Life.STEPPED_DOWN:
            self._housekeeping.run_due(steady, serving=self._life is Life.SERVING)
        self._spi.commit()
        self._completion.settle()
        if self._failures and self._backoff.is_over(steady):
            self._failures = 0
        if not self._failures:
            self._call_itself(STOOD_STILL_NAME if steady < self._clock_watch.paused_until else WORKER_NAME)
        self._completion.alerts.send(steady)
        if self._life is Life.SERVING:
            self._retention.run_due(steady, now, self._is_at_leisure)

    def _has_work(self, steady: float, now: float) -> bool:
        """Whether there is something to log, to read or to start, and no failure to wait for."""
        work = self._has_backlog or (self._may_start and self._starter.has_due(now))
        return work and self._backoff.is_over(steady)

    @property
    def _has_backlog(self) -> bool:
        """Whether there is something to log or to follow."""
        return (
            bool(self._unlogged)
            or self._inbox.has_news
            or self._completion.dependencies.has_more
            or self._due_jobs.given_away.has_more
            or self._withdrawn.has_more
        )

    def _transact(self, steady: float, now: float) -> None:
        """Log what has ended, follow the inbox and claim what is due, in one transaction; start and stop runs
        once it is committed."""
        begun = now
        steady, now = self._starter.moment(steady, now)
        suspicion = self._suspicion
        suspicion.begin()
        suspicion.enter(Stage.LOG)
        ended = self._unlogged[: suspicion.left]
        if ended:
            self._log_ended(ended, now)
            suspicion.take(len(ended))
        if suspicion.enter(Stage.RETRY):
            self._completion.retries.enqueue_due(now, suspicion.left)
            suspicion.take(len(self._completion.retries.taken))
        has_news = self._inbox.has_news
        messages: Messages = {}
        active: list[Run] = []
        if suspicion.enter(Stage.FOLLOW):
            self._inbox.look()
            since = self._clock.steady()
            messages = self._inbox.take_messages(suspicion.left or self._messages.size)
            active = [*self._pool.runs()] if messages else []
            now = max(now, self._clock_watch.now())  # they may have come since this turn began
            self._follow(messages, begun, now)
            self._messages.took(len(self._inbox.taken), self._clock.steady() - since)
            suspicion.take(len(self._inbox.taken))
        if suspicion.enter(Stage.DEPEND):
            suspicion.take(self._completion.dependencies.go_on(suspicion.left))
        if suspicion.left is None:  # else what fails is looked for, among other things
            suspicion.stage = Stage.REST
            self._due_jobs.given_away.go_on(self._clock)
            self._withdrawn.go_on(self._clock, now)
        runs: list[Run] = []
        if suspicion.enter(Stage.CLAIM) and self._may_start:
            runs = self._starter.claim(now, has_news, suspicion.left)
        elif has_news:
            self._due_jobs.add_requests()
        suspicion.stage = Stage.REST
        self._starter.look_for_next(now)
        self._spi.commit_confirmed()
        self._claimed += runs

        self._completion.settle()
        self._due_jobs.given_away.settle()
        self._backoff.succeed()
        del self._unlogged[: len(ended)]
        suspicion.relax()
        self._pool.saturated = len(self._due_jobs.queue) > 0
        if self._claimed:
            self._start_claimed(steady)
        self._stop_cancelled(messages, active)

    def _start_claimed(self, steady: float) -> None:
        """Start what is claimed, now that the log has it for good, at this moment; unless this process is to end."""
        exit_if_dead()
        server.let_server_act(self._spi)
        if self._clock_watch.compare(self._clock.steady(), self._clock.now()):
            steady = self._clock_watch.pause_after_stall(self._clock.steady(), self._settings.pause_after_stall)
        claimed, self._claimed = self._claimed, []
        now = self._clock.now()
        for run in claimed:
            if run.is_late(now):  # the commit has taken that long
                run.end(NOT_READY, now)
                self._unlogged.append(run)
                continue
            run.not_before = steady
            self._pool.start(run)
            self._timeouts.await_start(run)

    def _log_ended(self, ended: Sequence[Run], now: float) -> None:
        self._completion.log(ended, now)
        if not self._due_jobs.queue.held.roles.isdisjoint(run.target.rolname for run in ended):
            self._due_jobs.queue.forget()  # one of these roles is full no longer

    def _follow(self, messages: Messages, begun: float, now: float) -> None:
        """Do what the messages say, as far as it belongs to the transaction, whose turn has begun at a moment."""
        if "set" in messages:
            self._use(worker_setting.read(self._spi))
            self._completion.retries.forget()  # who has changed or restored some by hand can tell so by this
        if "disable" in messages:
            self._withdrawn.add(self._completion.disable(messages["disable"], now))
        if "define" in messages:
            committed = {job_id: message.sent_at for job_id, message in messages["define"].items()}
            self._completion.define(committed, now, self._clock_watch.available_since)
        if "cancel" in messages:
            self._completion.drop_retries(list(messages["cancel"]), now)
            self._withdrawn.add(*worker_request.withdraw_of_jobs(self._spi, messages["cancel"], begun))
        if "cancel run" in messages:
            self._withdrawn.add(worker_request.withdraw(self._spi, list(messages["cancel run"])))

    def _stop_cancelled(self, messages: Messages, active: Sequence[Run]) -> None:
        """Stop the runs that the messages want to be stopped; some were active when these were read."""
        jobs, runs = messages.get("cancel", {}), messages.get("cancel run", {})
        for run in [*self._pool.runs()] if jobs or runs else ():
            # The caller's transaction may have asked for another run since, and may have been open for long.
            if run.job_id in jobs and (
                run.jl_id < jobs[run.job_id].request_id or (run.cause != "request" and run in active)
            ):
                self._timeouts.stop(run, RunState.CANCELLED, "the run was cancelled by cancel_job()")
            elif run.jl_id in runs:
                # The call that waits for a trial asks for the same when it is cancelled itself.
                how = "cancel_run(), or with try_job()" if run.is_dry_run else "cancel_run()"
                self._timeouts.stop(run, RunState.CANCELLED, f"the run was cancelled by {how}")
        if "stop" in messages:
            by = worker_state.stopped_by(self._spi)
            self._spi.commit()
            self._leave_as_told(by)

    @property
    def _may_start(self) -> bool:
        return self._life is Life.SERVING and self._starter.can_start

    @property
    def _is_at_leisure(self) -> bool:
        """Whether there is time for what need not be done now."""
        return (
            self._life is Life.SERVING
            and not self._has_backlog
            and self._starter.is_quiet(STEP_TIME, self._clock.now())
        )

    def _seconds_to_wait(self) -> float:
        steady = self._clock.steady()
        waits = [
            LONGEST_WAIT,
            self._next_heartbeat - steady,
            self._pool.close_idle(),
            self._timeouts.seconds_until_next(),
        ]
        if not self._backoff.is_over(steady):
            waits.append(self._backoff.next - steady)
        elif self._has_backlog:
            waits.append(0.0)
        elif self._life is Life.SERVING:
            waits.append(self._starter.seconds_until_next())
        if self._is_at_leisure:
            waits.append(self._retention.next - steady)
        return max(0.0, min(waits))

    # --- now and then -----------------------------------------------------------------------

    def _heartbeat(self, steady: float, now: float) -> None:
        """See whether the server or the extension wants the worker to leave; now and then, look at what the
        listener should have heard of."""
        is_listening = self._housekeeping.listener.is_listening
        self._next_heartbeat = steady + (LONGEST_WAIT if is_listening else POLL_INTERVAL_WITHOUT_LISTEN)
        if not worker_state.is_registered(self._spi):
            self._step_down()
            return
        if self._look.begin_if_due(steady) or not is_listening:
            self._look.restart(steady)
            self._look_at_settings()
        if is_stopping(self._server.data_directory):
            self._drain("the server is being stopped")
        self._timeouts.sweep()
        self._completion.alerts.look_for_late(now, steady, self._pool.runs(), self._settings.overrun_factor)
        if self._completion.alerts.has_more:
            self._next_heartbeat = steady
        self._completion.metrics.write_due(steady)

    def _look_at_settings(self) -> None:
        self._use(worker_setting.read(self._spi))
        self._inbox.note()
        if self._settings.version != self._version and self._life is Life.SERVING:
            self._farewell = f"version {self._settings.version} follows"
            self._life = Life.RESTARTING

    def _use(self, settings: Settings) -> None:
        """Follow the settings."""
        if self._settings.paused and not settings.paused:
            self._clock_watch.interrupt()
        pause = settings.pause_after_stall
        if pause != self._settings.pause_after_stall and self._clock_watch.change_pause(pause):
            self._pool.hold_until(self._clock_watch.paused_until)
        self._settings = settings
        if self._logins.use(settings):
            self._pool.replace_sessions()
        self._pool.idle_timeout = settings.session_idle_time
        self._pool.lifetime = settings.session_lifetime
        self._pool.max_idle = settings.max_idle_sessions
        self._pool.track_usage = settings.measure_cost
        self._pool.pause_after_stall = settings.pause_after_stall
        self._timeouts.use(settings)
        self._starter.use(settings)
        self._retention.use(settings)
