"""How often jobs are due in each hour of the days to come."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from .due_times import TICK, Timing, schedule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Due(NamedTuple):
    """What the due times of a job follow; `anchor` is what its intervals are counted from."""

    schedule: str
    timezone: str
    dst: str
    seed: str
    starts_at: float | None = None
    ends_at: float | None = None
    anchor: float | None = None


HOUR = 3600  # seconds
# A job that is due less often is asked when; one that is due more often, how often in each hour.
FEW = 24  # due times


def due_per_hour(jobs: Iterable[Due], after: float, until: float) -> tuple[list[int], int]:
    """The number of due times later than `after` and not later than `until` in each hour, from the one of `after` on;
    and the number of jobs that cannot be told: those that are due a while after their last run has ended.

    >>> due_per_hour([Due("*/15 1 * * *", "UTC", "cron", "")] * 2, 1800.0, 9000.0)
    ([0, 8, 0], 0)
    """
    first = after // HOUR * HOUR
    # What is due when an hour begins is of this hour.
    bounds = [after]
    while bounds[-1] < until:
        bounds.append(min(first + len(bounds) * HOUR - TICK, until))
    counts, unknown = [0] * (len(bounds) - 1), 0
    known: dict[object, list[int]] = {}
    for job in jobs:
        read = schedule(job.schedule, job.timezone, job.dst, job.seed)
        if read.after_end is not None:
            unknown += 1
            continue
        # Many jobs are due at the same times.
        anchor = job.anchor if read.has_intervals else None
        key = (id(read), job.starts_at, job.ends_at, anchor)
        if key not in known:
            known[key] = _per_hour(Timing(read, anchor or after, job.starts_at, job.ends_at), bounds)
        for hour, count in enumerate(known[key]):
            counts[hour] += count
    return counts, unknown


def _per_hour(timing: Timing, bounds: list[float]) -> list[int]:
    if timing.count(bounds[0], bounds[-1]) > FEW:
        return [timing.count(*pair) for pair in zip(bounds, bounds[1:])]
    counts = [0] * (len(bounds) - 1)
    for due in timing.following(bounds[0]):
        if due > bounds[-1]:
            break
        counts[bisect_left(bounds, due) - 1] += 1
    return counts
