"""Where the requests to run something are that have not been taken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..database import worker_request
from ..database.spi import Spi
from ..jobs.number_ranges import LAST_NUMBER, Range, left_of, united
from ..jobs.requests_put_aside import RequestsPutAside
from ..jobs.run_queue import Held, QueuedRun

# How much more is read each time that most of what was read is held.
GROWTH = 10  # times
MOST_AT_ONCE = 10000  # rows
# So much of what cannot start is put aside at once, and read at once for that of each role, to find what can.
MOST_PUT_ASIDE = 500  # rows
PUT_ASIDE_AT_ONCE = 100  # rows
# So much of each role is taken back at once, when it can start.
TAKEN_BACK_AT_ONCE = 1000  # rows


class RequestedRuns:
    """Of each role, ranges of numbers outside of which it has no request, but for those that are put aside.

    So nothing is passed by that lies behind a request which still waits and cannot be seen: what is not committed, and
    what has been taken and cannot be vacuumed while somebody's snapshot is old. Nor is what a database or a role holds
    that lets no session in: it has been read once, and is put aside until that is over.

    `is_noted_later` tells by transaction, role and number what has been found before it may start.
    """

    def __init__(self, spi: Spi, is_noted_later: Callable[[int, str, int], bool]) -> None:
        self._spi = spi
        self._is_noted_later = is_noted_later
        self.forget()

    def forget(self) -> None:
        """Know nothing: all of it is noted anew."""
        self._ranges: dict[str, list[Range]] = {}
        # The same of what has been noted since it was read last.
        self._new: dict[str, list[Range]] = defaultdict(list)
        self._aside = RequestsPutAside()
        # Whether more is to be read once what has been found is started, though nothing else has happened.
        self.has_more = False

    def note(self, rolname: str, first: int, last: int) -> None:
        """Note that this role may have requests from one number to another."""
        self._new[rolname].append((first, last))

    def define(self, job_ids: Iterable[int]) -> None:
        """Read anew what has been asked for of these jobs, which may run elsewhere now."""
        self._take_back(self._aside.take_jobs(job_ids))

    def read(self, limit: int, held: Held, by_role: bool) -> list[QueuedRun]:
        """What waits, except for what is held; or about so much of each role."""
        self._aside.look_at(held)
        self._take_back(self._aside.take_free(min(limit, TAKEN_BACK_AT_ONCE)))
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
        growth = GROWTH
        if held.closed:  # what is held of one role hides nothing of others
            limit, growth, by_role = min(limit, PUT_ASIDE_AT_ONCE), 1, True
        wanted = limit
        found: list[QueuedRun] = []
        numbers: dict[str, list[Range]] = defaultdict(list)
        free = Counter[str]()
        left: dict[str, Sequence[Range]] = {}
        put_aside = 0
        while ranges and put_aside < MOST_PUT_ASIDE:
            places = [(rolname, *part) for rolname, several in ranges.items() for part in several[:limit]]
            runs = worker_request.queued_runs(self._spi, places, limit, by_role)
            # Up to which number each place has been read.
            is_cut = not by_role and len(runs) == limit
            until = [runs[-1].run.request_id if is_cut else LAST_NUMBER] * len(places)
            count = Counter(place for place, *_ in runs)
            for place, transaction, run in runs:
                rolname = places[place][0]
                if count[place] == limit:
                    until[place] = run.request_id
                if transaction is not None and self._is_noted_later(transaction, rolname, run.request_id):
                    continue
                if held.shuts(run.target):
                    self._aside.put(rolname, run)
                    put_aside += 1
                    continue
                numbers[rolname].append((run.request_id, run.request_id))
                if run.rolname not in held.roles:
                    found.append(run)
                    free[rolname] += 1
            rest = {rolname: [*several[limit:]] for rolname, several in ranges.items()}
            for (rolname, first, last), number in zip(places, until):
                rest[rolname] += left_of([(first, last)], number)
            for rolname, several in rest.items():
                self._keep(rolname, [*numbers[rolname], *several])
            left.update(rest)
            # Behind what is held may be what is not, and behind places where nothing is left what was asked for first.
            enough = LAST_NUMBER if by_role else _number_of(found, wanted)
            ranges = {
                rolname: united(several)
                for rolname, several in rest.items()
                if several and free[rolname] < wanted and min(several)[0] < enough
            }
            limit = min(limit * growth, MOST_AT_ONCE)
        self.has_more = bool(held.closed and any(left.values())) or self._aside.has_free
        return found

    def _take_back(self, several: Iterable[tuple[str, Sequence[Range]]]) -> None:
        for rolname, ranges in several:
            self._new[rolname] += ranges

    def _keep(self, rolname: str, ranges: Sequence[Range]) -> None:
        if ranges:
            self._ranges[rolname] = united(ranges)
        else:
            self._ranges.pop(rolname, None)


def _number_of(runs: Iterable[QueuedRun], rank: int) -> int:
    """Up to which number there are so many of them; LAST_NUMBER if there are fewer."""
    numbers = sorted(run.request_id for run in runs)
    return numbers[rank - 1] if rank <= len(numbers) else LAST_NUMBER
