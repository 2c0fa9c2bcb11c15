"""A year of a thousand jobs in twenty time zones, decided by the worker's own code.

The world around it is simulated: a clock that is set now and then, a worker that is down or slow,
few places to run in. Each due time must come out exactly once: as a run, skipped or missed.
"""

from __future__ import annotations

import heapq
import os
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, takewhile
from random import Random

import pytest

from elephant_worker.jobs.dispatch import DispatchContext, after_set_back, decide, due_again
from elephant_worker.jobs.job import Job
from elephant_worker.jobs.run import Outcome, Run
from tests.unit.brute_force import UTC

SEED = int(os.environ.get("SEED", "2027"))
BEGIN = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
END = datetime(2028, 1, 1, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0
PLACES = 12
GRACE = 60.0
ZONES = [
    *("UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Africa/Casablanca", "Africa/Cairo"),
    *("America/New_York", "America/Los_Angeles", "America/Sao_Paulo", "America/Havana", "America/St_Johns"),
    *("Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo", "Asia/Beirut", "Antarctica/Troll"),
    *("Australia/Lord_Howe", "Australia/Sydney", "Pacific/Auckland", "Pacific/Chatham"),
]
# How many of each kind; the frequent ones are few, so that there is something to do all year and
# the test is short.
KINDS = {
    "0 * * * *": 2,
    "*/30 * * * *": 1,
    "*/10 0-4 * * 0": 4,
    "@every 100 minutes": 2,
    "@every 37 hours": 40,
    "@after 5 hours": 20,
    '{"@after 2 days","0 9 * * 1"}': 10,
    "30 2 * * *": 50,
    "15 0 * * *": 30,
    "H H * * *": 60,
    "0,30 1-3 * * 0": 20,
    '{"0 9 * * 1-5","0 12 * * 6"}': 30,
    "45 1 * * 0,6": 100,
    "H H(0-5) * * H": 150,
    "0 3 * * 5#2": 100,
    "0 0 1,15 * 5": 30,
    "0 2 L * *": 150,
    "10 20 4 13 * 5": 50,
    "@yearly": 58,
    "0 0 29 2 *": 13,
    "2027-03-28 02:30": 40,
    "2027-10-31 01:30": 40,
}


def jobs(random: Random) -> list[Job]:
    found = []
    texts = [text for text, number in KINDS.items() for _ in range(number)]
    for job_id, text in enumerate(texts, 1):
        begin = BEGIN + random.randrange(10**12) / 1e6 if random.random() < 0.2 else None
        found.append(
            Job(
                jl_id=0,
                job_id=job_id,
                cause="schedule",
                scheduled_at=0.0,
                state_set_at=BEGIN,
                schedule_set_at=BEGIN,
                enabled=True,
                schedule=text,
                timezone=ZONES[job_id % len(ZONES)],
                dst=random.choice(["cron", "cron", "skip", "wall"]),
                starts_at=begin,
                ends_at=begin + random.randrange(200) * DAY if begin and random.random() < 0.5 else None,
                catch_up=random.choice(["skip", "once", "all"]),
                catch_up_limit=random.choice([1, 3, 100]),
                start_deadline=random.choice([None, None, 20.0, 600.0, 5 * HOUR]),
                parallel=random.random() < 0.3,
                role_oid=1,
                database_oid=1,
            )
        )
    return found


class World:
    """What the worker and its database do around the decisions, with a clock of its own."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.jobs = {job.job_id: job for job in jobs(self.random)}
        self.next_run_at = {job.job_id: next(job.timing.preview(BEGIN), None) for job in self.jobs.values()}
        self.queue = [(due, job_id) for job_id, due in self.next_run_at.items() if due is not None]
        heapq.heapify(self.queue)
        # The steady clock, and how far the wall clock is ahead of it.
        self.steady = self.ahead = 0.0
        self.available_since = BEGIN
        self.active: list[tuple[float, int, Run]] = []
        self.log: list[Run] = []
        self.keys: set[tuple[int, float]] = set()
        self.numbers = count(1)
        self.seen: Counter[str] = Counter()

    @property
    def now(self) -> float:
        return BEGIN + self.steady + self.ahead

    def set_due(self, job_id: int, due: float | None) -> None:
        self.next_run_at[job_id] = due
        if due is not None:
            heapq.heappush(self.queue, (due, job_id))

    def first_due(self) -> float:
        while self.queue and self.next_run_at[self.queue[0][1]] != self.queue[0][0]:
            heapq.heappop(self.queue)
        return self.queue[0][0] if self.queue else float("inf")

    def end_runs(self, state: str = "succeeded", until: float = float("inf")) -> None:
        while self.active and self.active[0][0] <= until:
            _, _, run = heapq.heappop(self.active)
            run.end(Outcome(state, "00000"), self.now)
            self.run_again(run)

    def run_again(self, run: Run) -> None:
        moments = [moment for moment in (self.next_run_at[run.job_id], run.again_at) if moment is not None]
        if run.again_at is not None:
            self.set_due(run.job_id, min(moments))

    def due(self) -> list[Job]:
        """What is due, as far as there are places."""
        found = []
        while self.first_due() <= self.now and len(self.active) + len(found) < PLACES:
            due, job_id = heapq.heappop(self.queue)
            found.append(replace(self.jobs[job_id], jl_id=next(self.numbers), scheduled_at=due))
            self.next_run_at[job_id] = None
        return found

    def tick(self) -> None:
        """One turn of the worker."""
        self.end_runs(until=self.steady)
        while found := self.due():
            active = Counter(run.job_id for _, _, run in self.active)
            moment = DispatchContext(self.now, self.available_since, GRACE)
            decisions = decide(found, active, moment, lambda: next(self.numbers))
            assert not decisions.changed
            assert not decisions.quarantined
            for job_id, due in decisions.next_run_at.items():
                self.set_due(job_id, due)
            for run in [*(run for _, _, run in self.active), *decisions.runs]:
                run.resume_at = decisions.due_after_run.get(run.job_id, run.resume_at)
            for run in [*decisions.runs, *decisions.ended]:
                key = (run.job_id, run.scheduled_at)
                assert key not in self.keys, f"{key} comes twice"
                self.keys.add(key)
                self.log.append(run)
            for run in decisions.ended:
                self.run_again(run)
            for run in decisions.runs:
                long = self.random.random() < 0.01
                seconds = self.random.expovariate(1 / (5 * HOUR if long else 40))
                heapq.heappush(self.active, (self.steady + seconds, run.jl_id, run))

    def be_down(self, seconds: float) -> None:
        """The worker ends, with all its runs; another one begins after a while."""
        lost = [run for _, _, run in self.active]
        self.active.clear()
        self.steady += seconds
        self.available_since = self.now
        for run in lost:
            run.end(Outcome("lost", "57P02"), self.now)
            if run.resume_at is not None:
                self.set_due(run.job_id, run.resume_at)
            elif self.next_run_at[run.job_id] is None:
                self.set_due(run.job_id, due_again(self.jobs[run.job_id], run.scheduled_at, self.now))

    def set_clock(self, seconds: float) -> None:
        self.ahead += seconds
        if seconds > 0:
            self.available_since = self.now
            return
        self.available_since = min(self.available_since, self.now)
        for job_id, due in self.next_run_at.items():
            if due is not None and "@after" in str(self.jobs[job_id].schedule):
                waiting = replace(self.jobs[job_id], scheduled_at=due)
                self.set_due(job_id, after_set_back(waiting, -seconds, self.now))

    def incident(self) -> None:
        kind = self.random.choice(["down", "slow", "forward", "back"])
        self.seen[kind] += 1
        longest = {"down": 3 * DAY, "slow": 1200.0, "forward": DAY, "back": 3 * HOUR}[kind]
        seconds = longest * self.random.random() ** 4
        if kind == "down":
            self.be_down(seconds)
        elif kind == "slow":
            self.steady += seconds
        else:
            self.set_clock(seconds if kind == "forward" else -seconds)

    def live(self) -> None:
        next_incident = 0.0
        while self.now < END:
            if self.steady >= next_incident:
                self.incident()
                next_incident = self.steady + self.random.expovariate(1 / (18 * HOUR))
            self.tick()
            ends = self.active[0][0] if self.active else float("inf")
            full = len(self.active) >= PLACES
            due = float("inf") if full else self.first_due() - BEGIN - self.ahead
            self.steady = max(self.steady, min(ends, due, next_incident)) + self.random.random() * 0.2
        while self.first_due() <= self.now:
            self.tick()
            self.steady += 1.0


@pytest.mark.slow
def test_every_due_time_is_accounted_for_exactly_once() -> None:
    print(f"seed {SEED}")
    world = World(SEED)
    assert len(world.jobs) == 1000
    world.live()
    assert min(world.seen.values()) > 50, "all that can happen has happened"
    rows: dict[int, list[Run]] = {job_id: [] for job_id in world.jobs}
    for run in world.log:
        rows[run.job_id].append(run)
    waiting = {run.job_id: run for _, _, run in world.active}
    total: Counter[str] = Counter()
    for job_id, job in world.jobs.items():
        resume_at = waiting[job_id].resume_at if job_id in waiting else None
        pending = min(moment for moment in (world.next_run_at[job_id], resume_at, 1e12) if moment is not None)
        assert pending > world.now or resume_at is not None
        if job.timing.schedule.after_end is not None:
            # Its due times hang on its runs; it never comes to a standstill.
            alive = job_id in waiting or pending <= world.now + job.timing.schedule.after_end
            assert alive or job.ends_at is not None, job
            continue
        expected = list(takewhile(lambda due: due < min(pending, world.now + 1), job.timing.following(BEGIN)))  # noqa: B023
        times = [0] * len(expected)
        for run in rows[job_id]:
            state = run.outcome.state if run.outcome is not None else "running"
            first = bisect_left(expected, run.scheduled_at)
            last = bisect_right(expected, run.scheduled_at if run.missed_until is None else run.missed_until)
            assert last - first == (run.missed_count or 1), (job, run)
            assert expected[first] == run.scheduled_at, (job, run)
            total[state] += last - first
            for number in range(first, last):
                times[number] += 1
        assert set(times) <= {1}, (
            job,
            [datetime.fromtimestamp(expected[i], UTC) for i, n in enumerate(times) if n != 1],
        )
    print(dict(total), dict(world.seen), timedelta(seconds=world.steady))
    assert min(total[state] for state in ("succeeded", "skipped", "missed", "lost")) > 50
