"""Requests to run something that have been read and cannot start: a database or a role lets no session in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush

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
    >>> aside.take_jobs([7, 8]), aside.take_free(3), aside.has_free
    ([('app', [(5001, 5001)])], [], False)
    """

    def __init__(self) -> None:
        self._ranges: dict[int, dict[str, list[Range]]] = defaultdict(dict)
        # By job, where it runs.
        self._targets: dict[int, Names] = {}
        # What is closed; by role, a heap of the jobs of which nothing else holds what has been put aside, each with the
        # first number of it: to take some costs no more where there are many jobs. One may have left meanwhile, or be
        # where something is closed by now.
        self._closed: frozenset[Gate] = frozenset()
        self._free: dict[str, list[tuple[int, int]]] = {}

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
        shut = {target for target in {*self._targets.values()} if held.shuts(target)}
        for job_id, target in self._targets.items():
            if target not in shut:
                for rolname, several in self._ranges[job_id].items():
                    if len(several) > 1:
                        several[:] = united(several)
                    free[rolname].append((several[0][0], job_id))
        for heap in free.values():
            heapify(heap)
        self._free = dict(free)

    def take_free(self, limit: int) -> list[tuple[str, list[Range]]]:
        """About so many of each role that can start."""
        taken = [(rolname, [*self._take_first(rolname, limit)]) for rolname in self._free]
        self._free = {rolname: heap for rolname, heap in self._free.items() if heap}
        return [(rolname, several) for rolname, several in taken if several]

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
        heap, held = self._free[rolname], Held(closed=self._closed)
        while heap and limit > 0:
            _, job_id = heappop(heap)
            several = self._ranges.get(job_id, {}).get(rolname)
            if several and not held.shuts(self._targets[job_id]):
                first, last = several[0]
                # Up to where another job comes first.
                until = max(first, min(last, first + limit - 1, heap[0][0] - 1 if heap else last))
                yield first, until
                limit -= until - first + 1
                several[:1] = left_of(several[:1], until)
                if several:
                    heappush(heap, (several[0][0], job_id))
                else:
                    self._leave(job_id, rolname)

    def _leave(self, job_id: int, rolname: str) -> None:
        """Nothing of a job that was found among those of this role is put aside any more."""
        del self._ranges[job_id][rolname]
        if not self._ranges[job_id]:
            del self._ranges[job_id], self._targets[job_id]
