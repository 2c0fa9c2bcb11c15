"""Timers. Moments are those of the steady clock, in seconds."""

from __future__ import annotations

from ..records import record


@record()
class Every:
    """Something to do again and again, that many seconds apart; the first time is now.

    >>> look = Every(5.0)
    >>> [look.begin_if_due(steady) for steady in (100.0, 104.9, 105.0, 105.1)]
    [True, False, True, False]
    """

    seconds: float
    next: float = 0.0

    def begin_if_due(self, steady: float) -> bool:
        """Whether it is to be done now; if it is, the next time comes that much later."""
        if steady < self.next:
            return False
        self.restart(steady)
        return True

    def restart(self, steady: float) -> None:
        """Count from now on."""
        self.next = steady + self.seconds


@record()
class Portion:
    """How much of something to do at once: as much as is done in that many seconds.

    >>> portion = Portion(500, 0.02)
    >>> portion.took(500, 0.2), portion.size, portion.took(50, 0.01), portion.size, portion.took(3, 0.1), portion.size
    (None, 50, None, 100, None, 10)
    """

    most: int
    seconds: float
    least: int = 10
    size: int = 0

    def __post_init__(self) -> None:
        self.size = self.most

    def took(self, count: int, seconds: float) -> None:
        """Note how long so many have taken; a few say little."""
        if count >= self.least or seconds > self.seconds:
            possible = int(count * self.seconds / max(seconds, 1e-6))
            self.size = max(self.least, min(possible, 2 * self.size, self.most))


@record()
class Backoff:
    """How long to wait after a failure: twice as long after each one, until an attempt succeeds.

    >>> backoff = Backoff(0.1, 0.3)
    >>> backoff.fail(100.0), backoff.is_over(100.05), backoff.is_over(100.1)
    (0.1, False, True)
    >>> backoff.fail(100.1), backoff.fail(100.3), backoff.succeed(), backoff.fail(200.0)
    (0.2, 0.3, None, 0.1)
    """

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

    def end(self) -> None:
        """Have the next attempt be made at once: what failed has been removed."""
        self._seconds = self.next = 0.0

    def is_over(self, steady: float) -> bool:
        """Whether to try again."""
        return steady >= self.next
