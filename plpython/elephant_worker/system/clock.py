"""Where the worker reads the time: here alone, so that tests can give it another."""

from __future__ import annotations

import select
import time

# Whoever comes so much later than wanted stood still, maybe with the whole machine.
STALL = 10.0  # seconds
# By this much the kernel ends a wait later than wanted, so that it can end several together (timerslack in prctl(2)).
TIMER_SLACK = 0.00005  # seconds


class Clock:
    """The wall clock says what is due, the steady one how long something takes."""

    def now(self) -> float:
        """Seconds since 1970, as the wall clock has it: it may jump."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        if seconds > 0:
            # Not time.sleep(): it waits until a moment of the steady clock, which libfaketime cannot tell
            # from one of the wall clock.
            select.select([], [], [], seconds)

    def spin(self, seconds: float) -> None:
        """Keep the processor for a time that is too short for a sleep."""
        until = self.steady() + seconds
        while self.steady() < until:
            pass

    def steady(self) -> float:
        """Seconds that only pass."""
        return time.monotonic()
