"""Requests to run some jobs that are yet to be looked at: so many at a time, the jobs in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from .number_ranges import Range, widen


class LookedAt(Protocol):
    """How many of the requests to run a job have been looked at, and the number of the last of them."""

    @property
    def job_id(self) -> int: ...

    @property
    def looked_at(self) -> int: ...

    @property
    def last(self) -> int: ...


class RequestsOfJobs:
    """By job, from one number to another; those whose turn is next come first."""

    def __init__(self) -> None:
        self._places: dict[int, Range] = {}

    def __bool__(self) -> bool:
        return bool(self._places)

    def __iter__(self) -> Iterator[int]:
        """The jobs."""
        return iter(self._places)

    def add(self, places: Mapping[int, Range]) -> None:
        """Have these looked at, too.

        >>> requests = RequestsOfJobs()
        >>> requests.add({7: (5, 8), 8: (0, 9)}), requests.add({7: (9, 12)}), requests.first(1)
        (None, None, {7: (5, 12)})
        """
        for job_id, (first, last) in places.items():
            widen(self._places, job_id, first, last)

    def first(self, limit: int) -> dict[int, Range]:
        """Those of so many jobs whose turn is next."""
        return dict(islice(self._places.items(), limit))

    def follow(self, asked: Iterable[int], found: Sequence[LookedAt], limit: int) -> list[int]:
        """Follow that requests of these jobs have been looked at, job by job, up to so many in all. Returns the jobs
        that have no more; it is the turn of others then, before that which has."""
        cut = found[-1] if sum(job.looked_at for job in found) == limit else None
        ended = []
        for job_id in asked:
            _, last = self._places.pop(job_id)
            if cut is not None and job_id == cut.job_id:
                self._places[job_id] = cut.last + 1, last
                break
            ended.append(job_id)
        return ended

    def clear(self) -> None:
        """Look at none of them."""
        self._places.clear()
