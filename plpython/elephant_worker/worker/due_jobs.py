"""Which jobs are due, and which runs have been asked for: what has been read of that and not started yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..database import job_log, job_state, job_statistic, withdrawal, worker_request
from ..database.job_state import DueTime, Position, Positions
from ..database.spi import Spi
from ..jobs.dispatch import first_due_time, missed_by_change
from ..jobs.job import Job
from ..jobs.known_jobs import KnownJobs
from ..jobs.obstacles import obstacle_of
from ..jobs.run import Run, Target
from ..jobs.run_queue import NOTHING_READ, Held, QueuedRun, RunQueue
from .given_away import GivenAway
from .inbox import Inbox
from .rounds import Rounds

LONG_AGO: Position = float("-inf"), 0
NEVER: Position = float("inf"), 0
# Above all numbers of jobs.
NO_JOB = 2**63 - 2  # a job_id
# How much of what waits is read at once: the more it is, the more runs of one role follow each other in its
# sessions.
LOOKAHEAD = 10000  # rows
SHORT_LOOKAHEAD = 1000  # rows
# Where roles can be full, it is read anew for each of their runs that ends. If more than this waits, it is read from
# role to role: so much of each, but enough for all slots.
ROLE_LOOKAHEAD = 100  # rows
# While more is due than can be done, what has become due since is read this often.
EXTEND_INTERVAL = 0.1  # seconds


class DueJobs:
    """The queue of waiting runs, and the position from which on the index of due times is read: of all, and of each
    role.

    What has been due leaves dead entries at the front of the index, which VACUUM removes at its leisure, or not at all
    while somebody's snapshot is older; so the search begins where the first job was found last time. All changes of due
    times are made here, so that it never begins too late.
    """

    def __init__(self, spi: Spi, inbox: Inbox) -> None:
        self._spi = spi
        self._inbox = inbox
        self.queue = RunQueue()
        self.given_away = GivenAway(spi, inbox)
        self._scan_start = LONG_AGO
        # The same of each role that has jobs; None: it is yet to be seen which roles there are.
        self._first: Positions | None = None
        self._known = KnownJobs()
        self._rounds = Rounds()

    def forget(self) -> None:
        """Read everything anew: a transaction has failed, or due times may have changed elsewhere."""
        self._scan_start, self._first = LONG_AGO, None
        self.queue.forget()
        self.given_away.forget()

    # --- changes ----------------------------------------------------------------------------

    def define(self, committed: Mapping[int, float], now: float, available_since: float) -> list[Run]:
        """Follow what has been defined, changed or deleted, and could not be seen before these moments. Returns what is
        to be logged: the due times that waited under a schedule which is no more."""
        job_ids = list(committed)
        self._known.drop(job_ids)
        self._inbox.requested.define(job_ids)
        replaced = job_state.replaced(self._spi, committed)
        missed = [missed_by_change(job, at, now, worker_request.new_id(self._spi)) for job, at in replaced]
        due_times = job_state.define(self._spi, job_ids)
        self._set_first_due_times(due_times, committed, now, available_since)
        self._due_at(due_times.values())
        self._end_quarantines(job_ids)
        given_away = job_state.follow_roles(self._spi, job_ids)
        self._due_at(given_away.values())
        # Runs of a new job may have been asked for before it was given away.
        self.given_away.add([*given_away, *due_times])
        job_statistic.begin(self._spi, job_ids)
        job_state.forget(self._spi, job_ids)
        withdrawal.forget(self._spi, job_ids)
        return missed

    def disable(self, job_ids: Sequence[int], now: float) -> tuple[list[int], list[Run]]:
        """Have jobs be due no more until they are changed. Returns those that were not disabled before, and what is
        to be logged: the due times that waited."""
        waiting = job_state.waiting(self._spi, job_ids, now)
        missed = [
            missed_by_change(job, now, now, worker_request.new_id(self._spi), "the job was disabled") for job in waiting
        ]
        return job_state.disable(self._spi, job_ids), missed

    def _set_first_due_times(
        self, due_times: dict[int, DueTime], committed: Mapping[int, float], now: float, available_since: float
    ) -> None:
        """Correct when those of the new schedules are due that have been so before they were seen."""
        early = [job_id for job_id, (_, due) in due_times.items() if due is not None and due < now]
        if early:
            jobs = job_state.defined(self._spi, early)
            later = {job.job_id: first_due_time(job, committed[job.job_id], now, available_since) for job in jobs}
            due_times |= job_state.advance(self._spi, later)

    def _end_quarantines(self, job_ids: Sequence[int]) -> None:
        """Let jobs out of quarantine whose change has removed the reason."""
        jobs = job_state.quarantined(self._spi, job_ids)
        free: dict[int, str | None] = {job.job_id: None for job in jobs if obstacle_of(job) is None}
        if free:
            self.quarantine(free)

    def quarantine(self, reasons: Mapping[int, str | None]) -> None:
        """Have jobs enter quarantine, change the reason for it, or leave it (None)."""
        job_state.quarantine(self._spi, reasons)
        for job_id, reason in reasons.items():
            word = "leaves quarantine" if reason is None else f"is in quarantine: {reason}"
            self._spi.log(f"elephant_worker: job {job_id} {word}")

    def advance(self, next_run_at: dict[int, float | None], claimed: Sequence[QueuedRun] = ()) -> None:
        """Have jobs be due at other times: some that have been claimed, or any."""
        due_times = job_state.advance(self._spi, next_run_at)
        self._follow(next_run_at, claimed)
        again = {entry.job_id for entry in claimed if not entry.request_id}
        self._due_at(due_time for job_id, due_time in due_times.items() if job_id not in again)

    def _follow(self, next_run_at: Mapping[int, float | None], claimed: Sequence[QueuedRun]) -> None:
        """Know when those of these jobs are due again that have been claimed."""
        for entry in claimed:
            if not entry.request_id and (due := next_run_at.get(entry.job_id)) is not None:
                self._begin_at(entry.rolname, due, entry.job_id)
                self.queue.due_again(entry.job_id, due, entry.target)

    def run_again(self, runs: Sequence[Run]) -> None:
        """Have the jobs be due again that waited for these runs to end."""
        again = [run for run in runs if run.again_at is not None]
        if again:
            for job_id, (rolname, due) in job_state.run_again(self._spi, again).items():
                self._begin_at(rolname, due, job_id)
            for run in again:
                self.queue.due_again(run.job_id, run.again_at or 0.0, run.target.names)

    def look_around(self, steady: float) -> None:
        """See whether others have put due times into the table, as a restore does, that are earlier than all that are
        known: in some of its pages, from time to time."""
        if self._rounds.is_due(steady):
            first, end = self._rounds.portion(lambda: job_state.pages(self._spi))
            found = job_state.first_due_in_pages(self._spi, first, end)
            self._due_at(due_time for due_time in found if self._is_earlier(*due_time))

    def _is_earlier(self, rolname: str, due: float | None) -> bool:
        """Whether a job of this role is due before the first that is known. One that is due at the same time as that is
        noticed when that is due later."""
        first = self._scan_start if self._first is None else self._first.get(rolname, NEVER)
        return due is not None and due < max(first, self._scan_start)[0]

    def _due_at(self, due_times: Iterable[DueTime]) -> None:
        for rolname, due in due_times:
            self._begin_at(rolname, due)
            if due is not None and due <= self.queue.until[0]:
                self.queue.forget()

    def _begin_at(self, rolname: str, due: float | None, job_id: int = 0) -> None:
        """Read from this due time of a role on, if not from an earlier one."""
        if due is not None:
            first = due, job_id
            self._scan_start = min(self._scan_start, first)
            if self._first is not None:
                self._first[rolname] = min(first, self._first.get(rolname, first))

    # --- reading ----------------------------------------------------------------------------

    def fill(
        self, now: float, held: Held, taken: Sequence[QueuedRun] = (), slots: int = 0, by_role: bool = False
    ) -> None:
        """Read what waits, except for what is held and what has been taken already. Where roles can be full, enough of
        each for so many slots."""
        limit = SHORT_LOOKAHEAD if held else LOOKAHEAD
        if by_role:
            limit = max(ROLE_LOOKAHEAD, 2 * slots)
        due, until = ([], NOTHING_READ) if held.roles else self._read_due(now, limit, self._scan_start, held)
        if held.roles or (by_role and len(due) == limit):
            first = {rolname: first for rolname, first in self._first_of_others(now, held).items() if first[0] <= now}
            due, until = job_state.due_by_role(self._spi, now, limit, first, held), (now, NO_JOB)
        requests = self._inbox.requested.read(limit, held, by_role)
        known = {(entry.job_id, entry.request_id) for entry in taken}
        waiting = (entry for entry in [*due, *requests] if (entry.job_id, entry.request_id) not in known)
        self.queue.fill(waiting, held, until)

    def extend(self, now: float) -> None:
        """Read what has become due since, now and then."""
        until, last = self.queue.until
        if now - until >= EXTEND_INTERVAL and len(self.queue) <= LOOKAHEAD / 2:
            due, self.queue.until = self._read_due(now, LOOKAHEAD, (until, last + 1), self.queue.held)
            self.queue.add(due)

    def add_requests(self) -> None:
        """Read the requests to run that have come since the queue was filled."""
        if len(self.queue) < LOOKAHEAD:
            self.queue.add(self._inbox.requested.read_new(LOOKAHEAD, self.queue.held))

    def take(self, waiting: Sequence[QueuedRun], postponed: Sequence[int]) -> None:
        """Take what was asked for out of the inbox, but for the requests that are postponed."""
        requests = {entry.request_id for entry in waiting if entry.request_id}
        if taken := [*requests.difference(postponed)]:
            worker_request.take(self._spi, taken)

    def claim(self, waiting: Sequence[QueuedRun], now: float) -> list[Job]:
        """The jobs of what is still due or asked for, in the order of due times."""
        jobs: list[Job] = []
        if due := [entry.job_id for entry in waiting if not entry.request_id]:
            jobs = job_state.claim(self._spi, due, now)
            self._known.add(jobs)
        if requests := [entry.request_id for entry in waiting if entry.request_id]:
            jobs += worker_request.claim(self._spi, requests)
        return sorted(jobs, key=lambda job: (job.scheduled_at, job.job_id))

    def known(self, waiting: Sequence[QueuedRun], steady: float, now: float) -> list[Job]:
        """What is known already of the jobs of what is due: those for which nothing else has been asked."""
        requested = {entry.job_id for entry in waiting if entry.request_id}
        due = (entry for entry in waiting if entry.due <= now and entry.job_id not in requested)
        return self._known.find(due, steady)

    def begin_known(
        self, runs: Sequence[Run], next_run_at: Mapping[int, float | None], waiting: Sequence[QueuedRun]
    ) -> list[Run]:
        """Begin runs of known jobs, which are due again then; returns those that have begun: all that is known is so
        still."""
        numbers = job_log.begin_known(self._spi, runs, self._known, next_run_at)
        begun = [run for run in runs if run.job_id in numbers]
        for run in begun:
            run.jl_id = numbers[run.job_id]
        self._follow({job_id: next_run_at[job_id] for job_id in numbers}, waiting)
        return begun

    @property
    def has_more(self) -> bool:
        """Whether something is in the queue, or yet to be read that may be."""
        return len(self.queue) > 0 or self._inbox.requested.has_more

    def next_due(self, now: float) -> float | None:
        """When the next job is due, except for those that are held."""
        held = self.queue.held
        if held:
            first = job_state.next_due_by_role(self._spi, self._first_of_others(now, held), held)
        else:
            first = job_state.next_due(self._spi, self._scan_start)
            self._scan_start = first or self._scan_start
        return None if first is None else first[0]

    def _first_of_others(self, now: float, held: Held) -> Positions:
        """From where on the due times of each role are read that is not held everywhere."""
        if self._first is None:
            self._first = job_state.first_of_roles(self._spi)
        else:
            passed = {
                rolname: first
                for rolname, first in self._first.items()
                if first[0] <= now and rolname not in held.roles
            }
            found = job_state.first_due(self._spi, passed)
            self._first = {rolname: first for rolname, first in self._first.items() if rolname not in passed} | found
        self._scan_start = max(self._scan_start, min(self._first.values(), default=LONG_AGO))
        return {rolname: first for rolname, first in self._first.items() if rolname not in held.roles}

    def targets(self, until: float, limit: int) -> list[Target]:
        """The targets of the jobs that are due by then."""
        return job_state.targets_due(self._spi, until, limit, self._scan_start)

    def _read_due(self, now: float, limit: int, first: Position, held: Held) -> tuple[list[QueuedRun], Position]:
        """What is due, from one due time and job on; and up to which it has been read."""
        due = job_state.due(self._spi, now, limit, first, held)
        return due, due[-1][:2] if len(due) == limit else (now, NO_JOB)
