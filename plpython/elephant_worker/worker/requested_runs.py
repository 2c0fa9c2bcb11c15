"""Where the requests to run something are that have not been taken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ..database import worker_request
from ..database.spi import Spi
from ..jobs.number_ranges import LAST_NUMBER, Range, left_of, united
from ..jobs.run_queue import Held, QueuedRun

# How much more is read each time that most of what was read is held.
GROWTH = 10  # times
MOST_AT_ONCE = 10000  # rows


class RequestedRuns:
    """Of each role, ranges of numbers outside of which it has no request.

    So nothing is passed by that lies behind a request which still waits and cannot be seen: what is not committed, and
    what has been taken and cannot be vacuumed while somebody's snapshot is old.
    """

    def __init__(self, spi: Spi) -> None:
        self._spi = spi
        self.forget()

    def forget(self) -> None:
        """Know nothing: all of it is noted anew."""
        self._ranges: dict[str, list[Range]] = {}
        # The same of what has been noted since it was read last.
        self._new: dict[str, list[Range]] = defaultdict(list)

    def note(self, rolname: str, first: int, last: int) -> None:
        """Note that this role may have requests from one number to another."""
        self._new[rolname].append((first, last))

    def read(self, limit: int, held: Held, by_role: bool) -> list[QueuedRun]:
        """What waits, except for what is held; or about so much of each role."""
        for rolname, new in self._new.items():
            self._keep(rolname, [*self._ranges.get(rolname, []), *new])
        self._new.clear()
        free = {rolname: several for rolname, several in self._ranges.items() if rolname not in held.roles}
        return self._read(free, limit, held, by_role)

    def read_new(self, limit: int, held: Held) -> list[QueuedRun]:
        """What has been noted since it was read last; it may have been read before."""
        new = {rolname: united(several) for rolname, several in self._new.items() if rolname not in held.roles}
        before = {rolname: self._ranges.pop(rolname, []) for rolname in new}
        for rolname in new:
            del self._new[rolname]
        runs = self._read(new, limit, held, by_role=False)
        for rolname, several in before.items():
            self._keep(rolname, [*several, *self._ranges.get(rolname, [])])
        return runs

    def _read(self, ranges: Mapping[str, Sequence[Range]], limit: int, held: Held, by_role: bool) -> list[QueuedRun]:
        """What waits in these ranges, of which what is found there and what is left are remembered."""
        found: list[QueuedRun] = []
        numbers: dict[str, list[Range]] = defaultdict(list)
        free = Counter[str]()
        while ranges:
            places = [(rolname, *part) for rolname, several in ranges.items() for part in several[:limit]]
            runs = worker_request.queued_runs(self._spi, places, limit, by_role)
            # Up to which number each place has been read.
            is_cut = not by_role and len(runs) == limit
            until = [runs[-1][1].request_id if is_cut else LAST_NUMBER] * len(places)
            count = Counter(place for place, _ in runs)
            for place, run in runs:
                rolname = places[place][0]
                numbers[rolname].append((run.request_id, run.request_id))
                if count[place] == limit:
                    until[place] = run.request_id
                if not held.holds(run.target):
                    found.append(run)
                    free[rolname] += 1
            rest = {rolname: [*several[limit:]] for rolname, several in ranges.items()}
            for (rolname, first, last), number in zip(places, until):
                rest[rolname] += left_of([(first, last)], number)
            for rolname, several in rest.items():
                self._keep(rolname, [*numbers[rolname], *several])
            # Behind what is held may be what is not.
            ranges = {
                rolname: united(several)
                for rolname, several in rest.items()
                if several and (free[rolname] if by_role else len(found)) < limit
            }
            limit = min(limit * GROWTH, MOST_AT_ONCE)
        return found

    def _keep(self, rolname: str, ranges: Sequence[Range]) -> None:
        if ranges:
            self._ranges[rolname] = united(ranges)
        else:
            self._ranges.pop(rolname, None)
