"""Requests to run something that have been read and cannot start: a database or a role lets no session in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from .number_ranges import MOST_RANGES, Range, left_of, united
from .run import Gate, Names
from .run_queue import Held, QueuedRun


class RequestsPutAside:
    """By job and role, ranges of numbers in which they are; they leave it when that is over, the first ones first.

    >>> aside, gate = RequestsPutAside(), Gate.database("weborder")
    >>> for number in (1, 2, 5000, 5001):
    ...     aside.put("app", QueuedRun(0.0, 7, "app", "weborder", request_id=number))
    >>> aside.look_at(Held(closed=frozenset({gate}))), aside.take_free(3)
    (None, [])
    >>> aside.look_at(Held()), aside.take_free(3), aside.has_free
    (None, [('app', [(1, 2), (5000, 5000)])], True)
    >>> aside.take_jobs([7, 8]), aside.has_free
    ([('app', [(5001, 5001)])], False)
    """

    def __init__(self) -> None:
        self._ranges: dict[int, dict[str, list[Range]]] = defaultdict(dict)
        # By job, where it runs.
        self._targets: dict[int, Names] = {}
        # What is closed; by role, the jobs of which nothing else holds what has been put aside.
        self._closed: frozenset[Gate] = frozenset()
        self._free: dict[str, list[int]] = {}

    @property
    def has_free(self) -> bool:
        """Whether something can start."""
        return bool(self._free)

    def put(self, rolname: str, run: QueuedRun) -> None:
        """Put a request aside that was found among those of this role; it comes after those of the same job and role
        that have been put aside before."""
        several = self._ranges[run.job_id].setdefault(rolname, [])
        last = several[-1][1] if several else None
        if last is not None and 0 <= run.request_id - last <= 1:
            several[-1] = several[-1][0], run.request_id
        else:
            several.append((run.request_id, run.request_id))
            if len(several) > 2 * MOST_RANGES:
                several[:] = united(several)
        self._targets[run.job_id] = run.target

    def look_at(self, held: Held) -> None:
        """See what can start now, whichever roles are full."""
        if held.closed == self._closed:
            return
        self._closed, free = held.closed, defaultdict(list)
        for job_id, target in self._targets.items():
            if not held.shuts(target):
                for rolname in self._ranges[job_id]:
                    free[rolname].append(job_id)
        self._free = dict(free)

    def take_free(self, limit: int) -> list[tuple[str, list[Range]]]:
        """About so many of each role that can start."""
        return [(rolname, [*self._take_first(rolname, limit)]) for rolname in [*self._free]]

    def take_jobs(self, job_ids: Iterable[int]) -> list[tuple[str, list[Range]]]:
        """All of these jobs."""
        taken: list[tuple[str, list[Range]]] = []
        for job_id in job_ids:
            if job_id in self._targets:
                taken += self._ranges[job_id].items()
                for rolname in [*self._ranges[job_id]]:
                    self._leave(job_id, rolname)
        return taken

    def _take_first(self, rolname: str, limit: int) -> Iterator[Range]:
        by_job = {job_id: united(self._ranges[job_id][rolname]) for job_id in self._free[rolname]}
        last = _last_of(limit, (part for several in by_job.values() for part in several))
        for job_id, several in by_job.items():
            for first, end in several:
                if first <= last:
                    yield first, min(end, last)
            if rest := left_of(several, last):
                self._ranges[job_id][rolname] = rest
            else:
                self._leave(job_id, rolname)

    def _leave(self, job_id: int, rolname: str) -> None:
        """Nothing of a job that was found among those of this role is put aside any more."""
        del self._ranges[job_id][rolname]
        if not self._ranges[job_id]:
            del self._ranges[job_id], self._targets[job_id]
        if job_id in self._free.get(rolname, ()):
            self._free[rolname].remove(job_id)
            if not self._free[rolname]:
                del self._free[rolname]


def _last_of(limit: int, ranges: Iterable[Range]) -> int:
    """Up to which number there are so many, or all.

    >>> _last_of(3, [(5, 9), (1, 2)]), _last_of(3, [(1, 2)])
    (5, 2)
    """
    last = 0
    for first, end in sorted(ranges):
        if end - first + 1 >= limit:
            return first + limit - 1
        limit -= end - first + 1
        last = end
    return last
