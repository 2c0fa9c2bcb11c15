"""Stops runs: those that take too long, and those that somebody has cancelled."""

from __future__ import annotations

import heapq
import math

from ..connection.poller import Poller
from ..connection.pool import Pool
from ..database import server
from ..database.spi import Spi
from ..database.worker_setting import Settings
from ..jobs.run import NOT_READY, Outcome, Run, RunState
from ..system.clock import Clock
from .logins import Logins
from .remote_cancel import RemoteCancel

# How long, on top of cancel_grace, a terminated session may take to go away.
TERMINATE_TIMEOUT = 1.0  # seconds
# How many timers of ended runs are kept before they are cleared away.
TIMERS_KEPT = 200  # timers


class Timeouts:
    """A timer for each active run: until it has a session, until job_timeout, until it has been stopped."""

    def __init__(self, spi: Spi, clock: Clock, poller: Poller, pool: Pool, logins: Logins) -> None:
        self._spi = spi
        self._clock = clock
        self._pool = pool
        self._logins = logins
        self._remote_cancel = RemoteCancel(poller, clock)
        self._cancel_grace = 0.0
        self._timers: list[tuple[float, int, Run]] = []

    def use(self, settings: Settings) -> None:
        """Follow the settings."""
        self._cancel_grace = settings.cancel_grace

    def seconds_until_next(self) -> float:
        """How long to wait for the next timer."""
        return self._timers[0][0] - self._clock.steady() if self._timers else math.inf

    def follow_pool(self) -> None:
        """Set the timers of the runs that have been given another session, and of those whose command was sent."""
        for run in self._pool.take_restarted():
            self.await_start(run)
        for run in self._pool.take_started():
            self._set(run, run.timeout)

    def await_start(self, run: Run) -> None:
        """Limit how long a run waits for its session, from the moment on at which it is to start."""
        if run.started is None:
            steady = self._clock.steady()
            run.connect_by = max(steady, run.not_before) + self._logins.connect_timeout(run.target)
            self._set_for_start(run, steady)

    def _set_for_start(self, run: Run, steady: float) -> None:
        seconds = run.connect_by - steady
        if run.start_by is not None:
            seconds = min(seconds, max(0.0, run.start_by - self._clock.now()))
        self._set(run, seconds)

    def stop_overdue(self, steady: float) -> None:
        """Stop the runs whose timers have run out."""
        while self._timers and self._timers[0][0] <= steady:
            _, _, run = heapq.heappop(self._timers)
            if run.outcome is not None:
                continue
            if run.stopping is not None:
                self._terminate(run)
            elif run.is_late(self._clock.now()):
                self._pool.abandon(run, NOT_READY)
            elif run.started is None and run.not_before > steady:
                self.await_start(run)
            elif run.started is None and run.connect_by > steady:
                self._set_for_start(run, steady)
            elif run.started is None:
                outcome = _no_connection(run, self._logins.connect_timeout(run.target))
                self._pool.abandon(run, outcome, hangs=True)
            elif steady >= run.started_steady + run.timeout:
                reason = f"the run took longer than job_timeout, {run.timeout:g} second{'s' * (run.timeout != 1)}"
                self.stop(run, RunState.TIMED_OUT, reason)

    def stop(self, run: Run, state: RunState, reason: str) -> None:
        """Cancel what the run's session executes; terminate the session if that does not end it."""
        if run.stopping is None:
            run.stopping = (state, reason)
            backend = self._pool.backend(run)
            if run.started is None or backend is None:
                self._pool.abandon(run, Outcome(state, "57014", message=reason))
            else:
                self._signal(run, "pg_cancel_backend", backend)
                self._set(run, self._cancel_grace)

    def sweep(self) -> None:
        """Give up other servers that take too long to be told."""
        self._remote_cancel.sweep()

    def close(self) -> None:
        self._remote_cancel.close()

    def _set(self, run: Run, seconds: float) -> None:
        if len(self._timers) > 2 * self._pool.active + TIMERS_KEPT:
            self._timers = [timer for timer in self._timers if timer[2].outcome is None]
            heapq.heapify(self._timers)
        heapq.heappush(self._timers, (self._clock.steady() + seconds, run.jl_id, run))

    def _terminate(self, run: Run) -> None:
        backend = self._pool.backend(run)
        if backend is None:
            return
        if run.terminated and run.target.server is not None:
            # Its server does not answer. If it still executes the command, it will soon notice that its client
            # has gone.
            outcome = Outcome(RunState.FAILED, "08006", message="The session did not end, and was given up.")
            self._pool.abandon(run, outcome)
            return
        run.terminated = True
        self._signal(run, "pg_terminate_backend", backend)
        self._set(run, self._cancel_grace + TERMINATE_TIMEOUT)

    def _signal(self, run: Run, function: str, backend: int) -> None:
        if run.target.server is None:
            server.signal(self._spi, function, backend, self._logins.login(run.target).user)
        else:
            login = self._logins.login(run.target).at(self._pool.address(run))
            self._remote_cancel.send(login, function, backend)


def _no_connection(run: Run, seconds: float) -> Outcome:
    return Outcome(
        RunState.FAILED,
        "08001",
        message=f"no connection within {seconds:g} seconds",
        detail=f"The session was for {run.target}.",
        hint="The server's log may say more.",
    )
