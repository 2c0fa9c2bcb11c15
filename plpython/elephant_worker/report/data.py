"""What the report shows, as one document of bounded size."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import floor, log
from typing import Any

from ..database import report as tables
from ..database.spi import Spi
from ..schedule.hours import HOUR, Due, due_per_hour
from ..version import VERSION

# Jobs beyond these are counted only. Of each part as much is shown as has room; what matters most comes first.
MOST_JOBS = 1000  # jobs
# Runs are shown one by one, or grouped by time where the document would become larger than this.
MOST_BYTES = 437_000  # bytes
MOST_BYTES_OF_PROBLEMS = 80_000  # bytes
MOST_BYTES_OF_FAILURES = 50_000  # bytes
MOST_BYTES_OF_DURATIONS = 12_000  # bytes
# What is shown of a schedule.
MOST_OF_SCHEDULE = 500  # characters
# What a state of a job and each of its marks take at most, in JSON without blanks.
BYTES_OF_STATE = 60  # bytes
BYTES_OF_MARK = 20  # bytes
# A job's runs of one state are shown one by one, or in as many slots of the time as leave room for all jobs.
SLOTS = (1440, 720, 480, 288, 240, 144, 96, 72, 48, 36, 24, *range(20, 0, -1))
# How far the hours reach.
HOURS_BEFORE = 28 * 24  # hours
AHEAD = 7 * 86400  # seconds
# Trends of durations: how many jobs of each kind, and points of each.
MOST_TRENDS = 8  # jobs
POINTS = 40  # points
# Durations of fewer runs are no trend.
FEWEST_RUNS = 6  # runs
# What a duration must have changed by, of itself; changes of less than a moment do not count.
CHANGE = 1.25  # times
MOMENT = 0.05  # seconds


Size = Callable[[Any], int]


def size_in_utf8(value: Any) -> int:
    """The bytes of a part of the document where texts are written as they are."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def size_in_ascii(value: Any) -> int:
    """The bytes of a part of the document where texts are escaped."""
    return len(json.dumps(value, separators=(",", ":")))


def collect(spi: Spi, seconds: float, size: Size = size_in_utf8) -> dict[str, Any]:
    """The document, which has at most MOST_BYTES by that size; docs/reference.md describes it."""
    about = tables.circumstances(spi)
    until = about["made_at"]
    since = float(floor(until - seconds))  # due times are whole seconds, mostly
    found = tables.problems(spi)
    problems = _that_fit(map(_without_total, found), MOST_BYTES_OF_PROBLEMS, size)
    first = list(dict.fromkeys(row["job_id"] for row in problems if row["job_id"] is not None))
    lanes = tables.lanes(spi, since, until, first, MOST_JOBS)
    failures = tables.failures(spi, since, until)
    document: dict[str, Any] = {
        "version": VERSION,
        **about,
        "since": since,
        "problems": problems,
        "problems_total": _total(found),
        "jobs": [],
        "jobs_total": _total(lanes),
        "runs": {},
        "ran": _ran(spi, since, until),
        "coming": _coming(spi, until),
        "durations": [],
        "failures": _that_fit(map(_failure, failures), MOST_BYTES_OF_FAILURES, size),
        "failures_total": _total(failures),
    }
    room = MOST_BYTES - MOST_BYTES_OF_DURATIONS - size(document)
    jobs = dict(_jobs_that_fit(lanes, room, size))
    lanes = lanes[: len(jobs)]
    places = {lane: place for place, lane in enumerate(jobs)}
    states: dict[str, int] = defaultdict(int)
    for row in lanes:
        for state, count in _states(row):
            states[state] += count
    for failure in document["failures"]:
        # Those that are not among the jobs of the report are counted only.
        failure["jobs"] = [places[lane] for lane in failure["jobs"] if lane in places]
    document |= {
        "jobs": list(jobs.values()),
        "runs": dict(states),
        "durations": _durations(spi, since, until, places),
    }
    _add_runs(spi, since, until, lanes, jobs, MOST_BYTES - size(document))
    return document


def _that_fit(rows: Iterable[dict[str, Any]], room: int, size: Size) -> list[dict[str, Any]]:
    """The first rows, as many as fit into so many bytes."""
    fitting = []
    for row in rows:
        room -= size(row) + 1
        if room < 0:
            break
        fitting.append(row)
    return fitting


def _jobs_that_fit(rows: list[dict[str, Any]], room: int, size: Size) -> Iterator[tuple[int, dict[str, Any]]]:
    """The first jobs by their lanes, as many as fit with one mark for each state of their runs."""
    for row in rows:
        job = _job(row)
        room -= size(job) + 1 + sum(BYTES_OF_STATE + BYTES_OF_MARK for _ in _states(row))
        if room < 0:
            return
        yield row["lane"], job


def _total(rows: list[dict[str, Any]]) -> int:
    return rows[0]["total"] if rows else 0


def _without_total(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "total"}


def _add_runs(
    spi: Spi, since: float, until: float, lanes: list[dict[str, Any]], jobs: dict[int, dict[str, Any]], room: int
) -> None:
    """Add the runs to the jobs; they take no more bytes than there is room for, if that is possible."""
    counts = {(row["lane"], state): count for row in lanes for state, count in _states(row)}
    slots = slots_of(counts.values(), (room - BYTES_OF_STATE * len(counts)) // BYTES_OF_MARK)
    busy = [key for key, count in counts.items() if count > slots]
    width = (until - since) / slots
    for row in tables.marks(spi, since, until, list(jobs), busy, width) if counts else ():
        runs: dict[str, Any] = {"slot": _brief(width)} if row["grouped"] else {}
        jobs[row["lane"]]["runs"][row["state"]] = runs
        runs["due"] = [(_brief if row["grouped"] else _moment)(due - since) for due in row["due"]]
        runs["late"] = [_brief(late) for late in row["late"]]
        runs["took"] = [_brief(took) for took in row["took"]]
        if any(number != 1 for number in row["runs"]):
            runs["count"] = row["runs"]


def _states(row: dict[str, Any]) -> Iterator[tuple[str, int]]:
    return zip(row["states"] or (), row["counts"] or ())


def _job(row: dict[str, Any]) -> dict[str, Any]:
    """What is not there, or as with most jobs, is left out."""
    job = {name: row[name] for name in ("job", "rolname", "datname", "server", "schedule", "timezone") if row[name]}
    if len(job.get("schedule", "")) > MOST_OF_SCHEDULE:
        job["schedule"] = job["schedule"][:MOST_OF_SCHEDULE] + "\u2026"
    if row["lane"]:
        job["job_id"] = row["lane"]
    if row["next_run_at"]:
        job["next_run_at"] = _moment(row["next_run_at"])
    if row["lane"] and not row["exists"]:
        job["deleted"] = True
    if row["enabled"] is False:
        job["enabled"] = False
    return {**job, "runs": {}}


def slots_of(counts: Iterable[int], most: int) -> int:
    """Into how many slots of the time the runs of one state of a job are grouped, if they are more than that, so that
    there are at most so many marks.

    >>> slots_of([500] * 3, 5000), slots_of([86_400] * 100, 10_000), slots_of([100_000] * 1000, 10)
    (1440, 96, 1)
    """
    known = list(counts)
    fitting = (slots for slots in SLOTS if sum(min(count, slots) for count in known) <= most)
    return next(fitting, 1)


def _moment(seconds: float) -> float | int:
    brief = round(seconds, 3)
    return int(brief) if brief == int(brief) else brief


def _brief(seconds: float | None) -> float | int | None:
    """As exact as anybody needs."""
    if seconds is None:
        return None
    brief = round(seconds, 3 if abs(seconds) < 0.1 else 2 if abs(seconds) < 10 else 1 if abs(seconds) < 100 else 0)
    return int(brief) if brief == int(brief) else brief


def _ran(spi: Spi, since: float, until: float) -> dict[str, Any]:
    last = int(until // HOUR)
    first = max(int(since // HOUR), last - HOURS_BEFORE + 1)
    runs, failures = ([0] * (last - first + 1) for _ in range(2))
    for row in tables.ran_per_hour(spi, since, until):
        if first <= row["hour"] <= last:
            runs[row["hour"] - first] = row["runs"]
            failures[row["hour"] - first] = row["failures"]
    return {"from": first * HOUR, "runs": runs, "failures": failures}


def _coming(spi: Spi, until: float) -> dict[str, Any]:
    jobs = (Due(**row) for row in tables.schedules(spi))
    runs, unknown = due_per_hour(jobs, until, until + AHEAD)
    return {"from": int(until // HOUR) * HOUR, "runs": runs, "not_counted": unknown}


def _durations(spi: Spi, since: float, until: float, places: dict[int, int]) -> list[dict[str, Any]]:
    found = [row for row in tables.durations(spi, since, until, list(places)) if row["runs"] >= FEWEST_RUNS]

    def change(row: dict[str, Any]) -> float:
        return abs(log((row["after"] + MOMENT) / (row["before"] + MOMENT)))

    changed = sorted((row for row in found if change(row) > log(CHANGE)), key=change, reverse=True)[:MOST_TRENDS]
    slowest = found[:MOST_TRENDS]
    chosen = {row["lane"]: row for row in (*slowest, *changed)}
    points = {row["lane"]: row for row in tables.trends(spi, since, until, list(chosen), POINTS)} if chosen else {}
    return [
        {
            "job": places[lane],
            "slowest": row in slowest,
            "changed": row in changed,
            **{name: _brief(row[name]) for name in ("median", "before", "after")},
            "runs": row["runs"],
            "due": [_brief(due - since) for due in points[lane]["due"]],
            "took": [_brief(took) for took in points[lane]["took"]],
        }
        for lane, row in chosen.items()
    ]


def _failure(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("message", "sqlstate", "runs", "first", "last", "job_count", "jobs")}
