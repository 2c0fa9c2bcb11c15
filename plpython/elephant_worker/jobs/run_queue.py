"""What waits for a slot, due jobs and requests to run, and which of it starts next."""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .run import Names

# One run may overtake another that was due up to so many seconds earlier where a session for it is
# open and there is none for the other: opening one takes a hundred times as long as a short run.
OVERTAKING = 0.25
# Where more is due than can be done, it is such a part of how late the other is, up to so many seconds: roles
# and databases that have to share sessions take turns the less often the less time there is for it.
OVERTAKING_LATE = 0.5
OVERTAKING_MOST = 5.0

NOTHING_READ = -math.inf, 0


class QueuedRun(NamedTuple):
    """A job that was due, or asked for, when it was read; `due` is seconds since 1970."""

    job_id: int
    due: float
    rolname: str
    datname: str
    server: str | None = None
    request_id: int | None = None

    @property
    def order(self) -> tuple[float, int]:
        return self.due, self.job_id

    @property
    def target(self) -> Names:
        return self.rolname, self.datname, self.server


@dataclass(slots=True)
class Capacity:
    """What limits the runs that start now."""

    slots: int
    # Tells how many sessions may be opened on this server; asked once, where one has to be.
    new_sessions: Callable[[], int]
    # The sessions that wait for a run, by role, database and server.
    kept: Counter[Names]
    # Where a run has begun so lately that its session may be free again in a moment.
    quick: set[Names]
    # The active runs of each role, and how many it may have.
    running: Counter[str]
    per_role: int | None = None
    # How many sessions may be opened on other servers, each of which takes a slot until that server answers.
    elsewhere: int = 0
    # What is left of new_sessions.
    _new: int | None = None

    @property
    def full_roles(self) -> set[str]:
        """The roles that have as many runs as they may."""
        if self.per_role is None:
            return set()
        return {rolname for rolname, runs in self.running.items() if runs >= self.per_role}

    def take(self, entry: QueuedRun) -> bool:
        """Take the room that a run needs, if it is there."""
        if not self.slots or (self.per_role is not None and self.running[entry.rolname] >= self.per_role):
            return False
        if self.kept[entry.target] > 0:
            self.kept[entry.target] -= 1
        elif not self._take_new(entry.server):
            return False
        self.slots -= 1
        self.running[entry.rolname] += 1
        return True

    def _take_new(self, server: str | None) -> bool:
        if server is not None:
            self.elsewhere -= 1
            return self.elsewhere >= 0
        if self._new is None:
            self._new = self.new_sessions()
        self._new -= 1
        return self._new >= 0


class RunQueue:
    """What has been read and not started: a queue for each place, in the order of due times."""

    def __init__(self) -> None:
        self._queues: dict[Names, deque[QueuedRun]] = {}
        self._length = 0
        # The last of the requests to run that have been read.
        self.last_request = 0
        # Roles whose jobs were not read, since they had as many runs as they may.
        self.left_out: set[str] = set()
        # What is due up to this due time and job has been read.
        self.until = NOTHING_READ

    def __len__(self) -> int:
        return self._length

    def fill(self, waiting: Iterable[QueuedRun], left_out: Iterable[str], until: tuple[float, int]) -> None:
        """Take in what was read anew."""
        self._queues.clear()
        self._length = self.last_request = 0
        self.left_out = set(left_out)
        self.until = until
        self.add(waiting)

    def add(self, waiting: Iterable[QueuedRun]) -> None:
        """Take in what has come since."""
        for entry in waiting:
            queue = self._queues.setdefault(entry.target, deque())
            if queue and entry.order < queue[-1].order:
                insort(queue, entry, key=_order)
            else:
                queue.append(entry)
            self._length += 1
            self.last_request = max(self.last_request, entry.request_id or 0)

    def due_again(self, job_id: int, due: float, target: Names) -> None:
        """Take in a job that is due once more, where all that is due by then has been read."""
        if (due, job_id) <= self.until and target[0] not in self.left_out:
            self.add([QueuedRun(job_id, due, *target)])

    def forget(self) -> None:
        """Have all of it read anew."""
        self.fill((), (), NOTHING_READ)

    def needs_sessions(self, room: Capacity) -> int:
        """For how many places of the next runs on this server no session waits."""
        first = heapq.nsmallest(room.slots, (queue[0] for queue in self._queues.values()), key=_order)
        return sum(entry.server is None and not room.kept[entry.target] for entry in first)

    def take(self, room: Capacity, now: float) -> list[QueuedRun]:
        """What starts now, in the order of due times."""
        full = room.full_roles
        heads = {target: queue[0].due for target, queue in self._queues.items() if target[0] not in full}
        kept = {target for target, count in room.kept.items() if count > 0 and target in heads}
        served = kept | room.quick
        first = min((due for target, due in heads.items() if target not in served), default=math.inf)
        last = first + min(max(OVERTAKING, (now - first) * OVERTAKING_LATE), OVERTAKING_MOST)
        # First in the sessions that wait, then where there is none, at last in more sessions of the same place.
        taken = [*self._take(kept, room, lambda target, due: due <= last and room.kept[target] > 0)]
        taken += self._take(heads, room, lambda target, _: room.kept[target] > 0 or target not in served)
        taken += self._take(heads, room, lambda *_: True)
        self._length -= len(taken)
        return sorted(taken, key=_order)

    def _take(
        self, targets: Iterable[Names], room: Capacity, may: Callable[[Names, float], bool]
    ) -> Iterator[QueuedRun]:
        """Take from these places, in the order of due times, as long as each of them may and has room."""
        if not room.slots:
            return
        # Numbered, since places of the same order cannot be compared.
        queues = self._queues
        heads = [(queues[target][0].order, number, target) for number, target in enumerate(targets) if target in queues]
        heapq.heapify(heads)
        while heads and room.slots:
            _, number, target = heapq.heappop(heads)
            queue = self._queues[target]
            if may(target, queue[0].due) and room.take(queue[0]):
                yield queue.popleft()
                if queue:
                    heapq.heappush(heads, (queue[0].order, number, target))
                else:
                    del self._queues[target]


def _order(entry: QueuedRun) -> tuple[float, int]:
    return entry.order
