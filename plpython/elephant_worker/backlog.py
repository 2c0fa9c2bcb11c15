"""What waits for a slot, due jobs and requests to run, and which of it starts next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# One run may overtake another that was due up to so many seconds earlier where a session for it is
# open and there is none for the other: opening one takes a hundred times as long as a short run.
OVERTAKING = 0.25


@dataclass(frozen=True, slots=True)
class Waiting:
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
    def place(self) -> tuple[str, str, str | None]:
        return self.rolname, self.datname, self.server


@dataclass(slots=True)
class Room:
    """What limits the runs that start now."""

    slots: int
    # How many sessions may be opened on this server, and those that wait for a run, by role, database and server.
    new_sessions: int
    kept: Counter[tuple[str, str, str | None]]
    # The active runs of each role, and how many it may have.
    running: Counter[str]
    per_role: int | None = None
    # How many sessions may be opened on other servers, each of which takes a slot until that server answers.
    elsewhere: int = 0

    @property
    def full_roles(self) -> set[str]:
        """The roles that have as many runs as they may."""
        if self.per_role is None:
            return set()
        return {rolname for rolname, runs in self.running.items() if runs >= self.per_role}

    def take(self, entry: Waiting) -> bool:
        """Take the room that a run needs, if it is there."""
        if not self.slots or (self.per_role is not None and self.running[entry.rolname] >= self.per_role):
            return False
        if self.kept[entry.place] > 0:
            self.kept[entry.place] -= 1
        elif entry.server is None and self.new_sessions > 0:
            self.new_sessions -= 1
        elif entry.server is not None and self.elsewhere > 0:
            self.elsewhere -= 1
        else:
            return False
        self.slots -= 1
        self.running[entry.rolname] += 1
        return True


class Backlog:
    """What has been read and not started, in the order of due times."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        # Roles whose jobs were not read, since they had as many runs as they may.
        self.left_out: set[str] = set()
        # What becomes due up to this moment must be read in.
        self.until = float("-inf")

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def last_request(self) -> int:
        return max((entry.request_id or 0 for entry in self._waiting), default=0)

    def fill(self, waiting: Iterable[Waiting], left_out: Iterable[str], until: float) -> None:
        """Take in what was read anew."""
        self._waiting = sorted(waiting, key=lambda entry: entry.order)
        self.left_out = set(left_out)
        self.until = until

    def add(self, waiting: Iterable[Waiting]) -> None:
        """Take in what has come since."""
        self._waiting = sorted([*self._waiting, *waiting], key=lambda entry: entry.order)

    def forget(self) -> None:
        """Have all of it read anew."""
        self.fill((), (), float("-inf"))

    def needs_sessions(self, room: Room) -> int:
        """For how many places of the next runs on this server no session waits."""
        places = {entry.place for entry in self._waiting[: room.slots] if entry.server is None}
        return sum(not room.kept[place] for place in places)

    def take(self, room: Room) -> list[Waiting]:
        """What starts now, in the order of due times."""
        full = room.full_roles
        first = next((entry.due for entry in self._waiting if entry.rolname not in full), 0.0)
        taken: dict[int, Waiting] = {}  # by identity: hashing the entries would take longer than all the rest
        for entry in self._waiting:
            if not room.slots or entry.due > first + OVERTAKING:
                break
            if room.kept[entry.place] > 0 and room.take(entry):
                taken[id(entry)] = entry
        for entry in self._waiting:
            if not room.slots:
                break
            if id(entry) not in taken and room.take(entry):
                taken[id(entry)] = entry
        if taken:
            self._waiting = [entry for entry in self._waiting if id(entry) not in taken]
        return sorted(taken.values(), key=lambda entry: entry.order)
