"""Requests that have been cancelled before their runs began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from ..database import withdrawal, worker_request
from ..database.spi import Spi
from ..jobs.number_ranges import Range
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
        # By job, where those of users are to be found; those whose turn is next come first.
        self._places: dict[int, Range] = {}
        # The numbers of others.
        self._numbers: list[int] = []

    @property
    def has_more(self) -> bool:
        """Whether some are yet to end."""
        return bool(self._places or self._numbers)

    def begin(self) -> None:
        """Take up what an earlier worker has left."""
        self.add(withdrawal.read(self._spi), worker_request.marked(self._spi))

    def add(self, places: Mapping[int, Range], numbers: Iterable[int]) -> None:
        """Have the requests to run these jobs end that have been cancelled, in these places, and some others."""
        for job_id, (after, until) in places.items():
            before = self._places.get(job_id)
            self._places[job_id] = (after, until) if before is None else (min(before[0], after), max(before[1], until))
        self._numbers += numbers

    def go_on(self, clock: Clock, now: float) -> None:
        """Have some more of them end."""
        if not self.has_more:
            return
        began, limit = clock.steady(), self._portion.size
        numbers, self._numbers = self._numbers[:limit], self._numbers[limit:]
        looked_at = len(numbers)
        if rest := limit - looked_at:
            asked = dict(islice(self._places.items(), rest))
            found = worker_request.withdrawn_of_jobs(self._spi, asked, rest)
            last = found[-1] if sum(job.looked_at for job in found) == rest else None
            for job_id in asked:
                (_, until) = self._places.pop(job_id)
                if last is not None and job_id == last.job_id:
                    self._places[job_id] = last.last, until  # it is the turn of others then
                    break
            numbers += [number for job in found for number in job.cancelled]
            looked_at += len(asked) + sum(job.looked_at for job in found)
        if numbers:
            self._end(numbers, now)
        self._portion.took(looked_at, clock.steady() - began)

    def forget(self) -> None:
        """Leave the rest to its turn: a transaction has failed."""
        self._places.clear()
        self._numbers.clear()
