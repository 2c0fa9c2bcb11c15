"""Timers. Moments are those of the steady clock, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Every:
    """Something that is to be done every so many seconds, at first at once."""

    seconds: float
    next: float = 0.0

    def is_due(self, steady: float) -> bool:
        """Whether it is to be done now; asked when it will be, if so: the next time is counted from here."""
        if steady < self.next:
            return False
        self.restart(steady)
        return True

    def restart(self, steady: float) -> None:
        """Count from now on."""
        self.next = steady + self.seconds


@dataclass(slots=True)
class Backoff:
    """How long to wait after a failure: twice as long after each one, until one attempt succeeds."""

    first: float
    longest: float
    next: float = 0.0
    _seconds: float = 0.0

    def fail(self, steady: float) -> float:
        """Note a failure; returns the seconds to wait."""
        self._seconds = min(self._seconds * 2 or self.first, self.longest)
        self.next = steady + self._seconds
        return self._seconds

    def succeed(self) -> None:
        """Note that an attempt has succeeded."""
        self._seconds = 0.0

    def is_over(self, steady: float) -> bool:
        """Whether to try again."""
        return steady >= self.next
