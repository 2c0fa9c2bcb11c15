"""Notices that the clock was set, and knows since when the worker has seen all due times."""

from __future__ import annotations

import math

from ..database import job_state
from ..database.spi import Spi
from ..jobs.dispatch import after_set_back, is_correction
from ..system.clock import STALL, Clock
from .due_jobs import DueJobs
from .inbox import Inbox
from .retries import Retries

# How much the wall clock and the steady clock may drift apart in one tick without one of them having been set.
LARGEST_SLEW = 0.5  # seconds


class ClockWatch:
    """Compares the wall clock with the steady clock."""

    def __init__(self, spi: Spi, clock: Clock, inbox: Inbox, due_jobs: DueJobs, retries: Retries) -> None:
        self._spi = spi
        self._clock = clock
        self._inbox = inbox
        self._due_jobs = due_jobs
        self._retries = retries
        # How far the wall clock is ahead of the steady one, in seconds.
        self._difference = clock.now() - clock.steady()
        self._last = clock.steady()
        # Since when it goes on without a gap.
        self._uninterrupted_since = clock.now()
        # When it was last found that it had stood still, and until when nothing is started since, by the steady clock.
        self._stalled_at = -math.inf
        self.paused_until = -math.inf

    @property
    def available_since(self) -> float:
        """What was due before this moment was due while no worker was at work, so it may be too late for it."""
        return max(self._uninterrupted_since, self.paused_until + self._difference)

    def interrupt(self) -> None:
        """Note that what was due until now is missed time, as if no worker had been there."""
        self._uninterrupted_since = self._clock.now()

    def pause_after_stall(self, stalled_at: float, seconds: float) -> float:
        """Have nothing be started for a while: another server may have taken over, and whoever ends this one then needs
        a moment for that. What is due until then is missed time as well. Returns the moment, by the steady clock."""
        self._stalled_at = stalled_at
        self.paused_until = stalled_at + seconds
        return self.paused_until

    def change_pause(self, seconds: float) -> bool:
        """Have a pause that has begun last so long, or end it; returns whether there was one."""
        steady = self._clock.steady()
        is_paused = steady < self.paused_until
        if is_paused:
            self.paused_until = max(steady, self._stalled_at + seconds)
        return is_paused

    def compare(self, steady: float, now: float) -> bool:
        """Notice that the wall clock was set, that the machine slept or that the worker could do nothing, waiting for a
        standby, say: what was due meanwhile is missed time, as if no worker had been there. Returns whether the
        worker stood still."""
        stood, self._last = steady - self._last, steady
        jump = now - steady - self._difference
        if jump > LARGEST_SLEW:
            self._spi.warning(f"elephant_worker: the clock was set forward by {jump:.1f} seconds")
            self._uninterrupted_since = now
        elif jump < -LARGEST_SLEW:
            self._spi.warning(f"elephant_worker: the clock was set back by {-jump:.1f} seconds")
            self._uninterrupted_since = min(self._uninterrupted_since, now)
            self.shift_due_times(-jump, now)
            self._spi.commit()
        self._difference = now - steady
        if max(stood, jump) < STALL:
            return False
        self._uninterrupted_since = now
        self._spi.warning(
            f"elephant_worker: the worker, or the machine, stood still for {max(stood, jump):.1f} seconds"
        )
        return True

    def stay_awake(self) -> None:
        """Note that the worker goes on, where it does not compare the clocks: it tries in vain to begin."""
        steady = self._clock.steady()
        if steady - self._last < STALL:
            self._last = steady

    def now(self) -> float:
        """The moment by the wall clock, unless that was set since it was compared, which is yet to be noticed."""
        return self._clock.steady() + self._difference

    def shift_due_times(self, seconds: float, now: float) -> None:
        """Have no job wait until the clock shows again what it showed before."""
        jobs = job_state.scheduled(self._spi, after_only=not is_correction(seconds))
        self._due_jobs.advance({job.job_id: after_set_back(job, seconds, now) for job in jobs})
        self._retries.shift_after_clock_step(seconds)
        self._due_jobs.forget()
        self._inbox.note()  # the transaction that follows finds what is due first
