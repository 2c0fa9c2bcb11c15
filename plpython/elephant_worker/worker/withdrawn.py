"""Requests that have been cancelled before their runs began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..database import withdrawal, worker_request
from ..database.spi import Spi
from ..jobs.number_ranges import Range
from ..jobs.requests_of_jobs import RequestsOfJobs
from ..system.clock import Clock
from .timers import Portion

# How many requests one transaction looks at, and for how long.
REQUESTS_AT_ONCE = 500  # requests
REQUESTS_TIME = 0.01  # seconds


class Withdrawn:
    """Has requests end that have been cancelled, some in each transaction, though nothing may start now: they would
    wait for a slot, or for the end of a pause, to be told that they do not run.

    What is left when a transaction fails ends when its turn to start comes.
    """

    def __init__(self, spi: Spi, end: Callable[[list[int], float], None]) -> None:
        self._spi = spi
        self._end = end
        self._portion = Portion(REQUESTS_AT_ONCE, REQUESTS_TIME)
        # Where those of users are to be found, and the numbers of others.
        self._requests = RequestsOfJobs()
        self._numbers: list[int] = []

    @property
    def has_more(self) -> bool:
        """Whether some are yet to end."""
        return bool(self._requests or self._numbers)

    def begin(self) -> None:
        """Take up what an earlier worker has left."""
        self.add(worker_request.marked(self._spi), withdrawal.read(self._spi))

    def add(self, numbers: Iterable[int], places: Mapping[int, Range] | None = None) -> None:
        """Have requests of these numbers end, and those that have been cancelled with their jobs in these places."""
        self._numbers += numbers
        self._requests.add(places or {})

    def go_on(self, clock: Clock, now: float) -> None:
        """Have some more of them end."""
        if not self.has_more:
            return
        began, limit = clock.steady(), self._portion.size
        numbers, self._numbers = self._numbers[:limit], self._numbers[limit:]
        looked_at = len(numbers)
        if rest := limit - looked_at:
            asked = self._requests.first(rest)
            found = worker_request.withdrawn_of_jobs(self._spi, asked, rest)
            self._requests.follow(asked, found, rest)
            numbers += [number for job in found for number in job.cancelled]
            looked_at += len(asked) + sum(job.looked_at for job in found)
        if numbers:  # some twice, which have been cancelled both by themselves and with their jobs
            self._end([*dict.fromkeys(numbers)], now)
        self._portion.took(looked_at, clock.steady() - began)

    def forget(self) -> None:
        """Leave the rest to its turn: a transaction has failed."""
        self._requests.clear()
        self._numbers.clear()
