"""Looks through a table again and again, some pages at a time."""

from __future__ import annotations

from collections.abc import Callable

from .timers import Every

# How often some pages are looked at.
INTERVAL = 2.0  # seconds
# In how many portions a table is looked through, if these are not too large; it may have grown meanwhile.
PORTIONS = 20  # portions
MOST_PAGES = 100  # pages


class Rounds:
    """Which pages are next. What is put into a table is found within one round, wherever that is: of a table with up to
    2,000 pages in 40 seconds, and of a larger one as much later as it is larger."""

    def __init__(self) -> None:
        self._look = Every(INTERVAL)
        self._next = 0
        self._end = 0
        self._size = 1

    def is_due(self, steady: float) -> bool:
        """Whether it is time for some pages."""
        return self._look.begin_if_due(steady)

    def portion(self, pages: Callable[[], int]) -> tuple[int, int]:
        """The first of the pages that are next, and the one that follows them.

        >>> rounds = Rounds()
        >>> [rounds.portion(lambda: 45) for _ in range(16)][-2:]
        [(42, 45), (0, 3)]
        >>> rounds = Rounds()
        >>> [rounds.portion(lambda: 2500) for _ in range(26)][-2:]
        [(2400, 2500), (0, 100)]
        >>> Rounds().portion(lambda: 0)
        (0, 1)
        """
        if self._next >= self._end:
            self._next, self._end = 0, max(1, pages())
            self._size = min(-(-self._end // PORTIONS), MOST_PAGES)
        first, self._next = self._next, min(self._next + self._size, self._end)
        return first, self._next
