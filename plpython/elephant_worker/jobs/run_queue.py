"""Runs that wait for a slot, because a job is due or was asked for, and which of them starts next."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from operator import itemgetter
from typing import NamedTuple

from ..records import record
from .run import Gate, Names, gates

# A run may overtake another that was due earlier if a session for it is open and there is none for the other:
# to open one takes a hundred times as long as a short run. By how much, at least:
OVERTAKING = 0.25  # seconds
# If more is due than can be done, it is this part of how late the other is, at most OVERTAKING_MOST: roles and
# databases that have to share sessions take turns less often the less time there is for it.
OVERTAKING_LATE = 0.5  # seconds for each second
OVERTAKING_MOST = 5.0  # seconds

NOTHING_READ = -math.inf, 0

_ORDER = itemgetter(0, 1)


class QueuedRun(NamedTuple):
    """A job that was due, or asked for, when it was read; `due` is seconds since 1970, and request_id is 0 if it was
    due. Those of one target compare by what they begin with: the order of due times."""

    due: float
    job_id: int
    rolname: str
    datname: str
    server: str | None = None
    request_id: int = 0

    @property
    def target(self) -> Names:
        return self.rolname, self.datname, self.server


@record(frozen=True)
class Held:
    """Whose jobs are not read, since none of them can start now.

    >>> held = Held(closed=frozenset({Gate.database("weborder")}))
    >>> held.holds(("app", "weborder", None)), held.holds(("app", "weborder", "berlin")), bool(Held())
    (True, False, False)
    """

    # The roles that have reached max_running_jobs_per_role.
    roles: frozenset[str] = frozenset()
    # The roles and databases of this server that let no new session in.
    closed: frozenset[Gate] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.roles or self.closed)

    def shuts(self, target: Names) -> bool:
        """Whether no new session is let in there."""
        return bool(self.closed) and not self.closed.isdisjoint(gates(target))

    def holds(self, target: Names) -> bool:
        """Whether nothing can start there."""
        return target[0] in self.roles or self.shuts(target)

    def names(self) -> tuple[list[str], list[str], list[str]]:
        """The roles that are held everywhere, and the databases and roles that are held on this server only."""
        closed = defaultdict(list)
        for gate in self.closed:
            closed[gate.catalog].append(gate.name)
        return list(self.roles), closed["pg_database"], closed["pg_authid"]


@record()
class Capacity:
    """What limits the runs that start now."""

    slots: int
    # Tells how many sessions may be opened on this server; called once, when one has to be.
    new_sessions: Callable[[], int]
    # The sessions that wait for a run, by role, database and server.
    idle: Counter[Names]
    # Targets of runs that have begun so lately that their session may be idle again in a moment.
    recent: set[Names]
    # The active runs of each role, and how many it may have.
    running: Counter[str]
    per_role: int | None = None
    # How many sessions may be opened on other servers; each takes a slot until that server answers.
    new_remote_sessions: int = 0
    # Which roles and databases let no new session in.
    closed: frozenset[Gate] = frozenset()
    # Tells how many sessions may be opened where there is a CONNECTION LIMIT; called once, when one has to be.
    room: Callable[[], dict[Gate, int]] = dict
    # Where the limit has kept a run from being taken.
    full: set[Gate] = field(default_factory=set)
    # What is left of new_sessions and room, once they have been called.
    _new: int | None = None
    _room: dict[Gate, int] = field(default_factory=dict)

    @property
    def held(self) -> Held:
        """The roles that have reached max_running_jobs_per_role, and what is closed or full."""
        closed = self.closed | self.full
        if self.per_role is None:
            return Held(closed=closed)
        roles = frozenset(rolname for rolname, runs in self.running.items() if runs >= self.per_role)
        return Held(roles, closed)

    def take(self, target: Names) -> bool:
        """Take what a run needs there, if there is enough."""
        rolname = target[0]
        if not self.slots or (self.per_role is not None and self.running[rolname] >= self.per_role):
            return False
        if self.idle[target] > 0:
            self.idle[target] -= 1
        elif not self._open(target):
            return False
        self.slots -= 1
        self.running[rolname] += 1
        return True

    def _open(self, target: Names) -> bool:
        if target[2] is not None:
            self.new_remote_sessions -= 1
            return self.new_remote_sessions >= 0
        if self._new is None:
            self._new, self._room = self.new_sessions(), self.room()
        limited = [gate for gate in gates(target) if gate in self._room] if self._room else []
        if full := [gate for gate in limited if self._room[gate] <= 0]:
            self.full.update(full)
            return False
        for gate in limited:
            self._room[gate] -= 1
        self._new -= 1
        return self._new >= 0


class RunQueue:
    """What has been read and not started: a heap for each target, in the order of due times."""

    def __init__(self) -> None:
        self._queues: dict[Names, list[QueuedRun]] = defaultdict(list)
        self._length = 0
        # The requests to run that are among them.
        self._requests: set[int] = set()
        # Whose jobs were not read.
        self.held = Held()
        # All that is due up to this due time and job has been read.
        self.until = NOTHING_READ

    def __len__(self) -> int:
        return self._length

    def fill(self, waiting: Iterable[QueuedRun], held: Held, until: tuple[float, int]) -> None:
        """Take in what was read anew."""
        self._queues.clear()
        self._requests.clear()
        self._length = 0
        self.held = held
        self.until = until
        self.add(waiting)

    def add(self, waiting: Iterable[QueuedRun]) -> None:
        """Take in what has come since, but for requests that have been read already."""
        for entry in waiting:
            if entry.request_id in self._requests:
                continue
            if entry.request_id:
                self._requests.add(entry.request_id)
            heapq.heappush(self._queues[entry.target], entry)
            self._length += 1

    def due_again(self, job_id: int, due: float, target: Names) -> None:
        """Take in a job that is due again, if all that is due by then has been read."""
        if (due, job_id) <= self.until and not self.held.holds(target):
            self.add([QueuedRun(due, job_id, *target)])

    def hold(self, held: Held) -> None:
        """Put aside what cannot start now: it is read anew when it can."""
        for target in [target for target in self._queues if held.holds(target)]:
            gone = self._queues.pop(target)
            self._length -= len(gone)
            self._requests.difference_update(entry.request_id for entry in gone)
        self.held = held

    def forget(self) -> None:
        """Have all of it read anew."""
        self.fill((), Held(), NOTHING_READ)

    def needs_sessions(self, capacity: Capacity) -> int:
        """How many of the next runs on this server have no idle session."""
        first = heapq.nsmallest(capacity.slots, (queue[0] for queue in self._queues.values()), key=_ORDER)
        return sum(entry.server is None and not capacity.idle[entry.target] for entry in first)

    def take(self, capacity: Capacity, now: float) -> list[QueuedRun]:
        """What starts now, in the order of due times."""
        held = capacity.held
        heads = {target: queue[0].due for target, queue in self._queues.items() if not held.holds(target)}
        idle = {target for target, count in capacity.idle.items() if count > 0 and target in heads}
        served = idle | capacity.recent
        first = min((due for target, due in heads.items() if target not in served), default=math.inf)
        last = first + min(max(OVERTAKING, (now - first) * OVERTAKING_LATE), OVERTAKING_MOST)
        # First in idle sessions, then for targets that have none, at last in more sessions for the same targets.
        taken = [*self._pick(idle, capacity, lambda target, due: due <= last and capacity.idle[target] > 0)]
        taken += self._pick(heads, capacity, lambda target, _: capacity.idle[target] > 0 or target not in served)
        taken += self._pick(heads, capacity, lambda *_: True)
        self._length -= len(taken)
        self._requests.difference_update(entry.request_id for entry in taken)
        return sorted(taken, key=_ORDER)

    def _pick(
        self, targets: Iterable[Names], capacity: Capacity, may: Callable[[Names, float], bool]
    ) -> Iterator[QueuedRun]:
        """Take from these places, in the order of due times, as long as each of them may and has capacity."""
        if not capacity.slots:
            return
        # Numbered, since targets of the same order cannot be compared.
        queues = self._queues
        heads = [(queues[target][0][:2], number, target) for number, target in enumerate(targets) if target in queues]
        heapq.heapify(heads)
        while heads and capacity.slots:
            _, number, target = heads[0]
            queue = queues[target]
            if may(target, queue[0].due) and capacity.take(target):
                yield heapq.heappop(queue)
                if queue:
                    heapq.heapreplace(heads, (queue[0][:2], number, target))
                    continue
                del queues[target]
            heapq.heappop(heads)
