"""Is every due time of a job accounted for in the log, once?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from elephant_worker.schedule.due_times import Timing, schedule

# How runs end.
ENDED = {"succeeded", "failed", "timed out", "cancelled", "lost", "skipped", "missed"}
# What the audit reads of scheduled runs; moments in seconds since 1970.
ROWS = """SELECT l.job_id, l.state, extract(epoch FROM l.scheduled_at)::float8 AS due, l.missed_count,
              extract(epoch FROM l.missed_until)::float8 AS missed_until,
              extract(epoch FROM l.job_finished)::float8 AS ended
          FROM job_log l WHERE l.cause = 'schedule' ORDER BY l.job_id, l.scheduled_at"""


def account(job: Any, rows: Iterable[Any]) -> None:
    """Every due time of the job from the first to the last one in these rows of its log is there, once.

    `job` is its row in the table of jobs."""
    timing = Timing(schedule(job.schedule, job.timezone, job.dst, str(job.job_id)), job.schedule_set_at.timestamp())
    accounted: list[float] = []
    for row in rows:
        accounted.append(row.due)
        if row.state == "missed" and row.missed_count > 1:
            accounted += timing.latest(row.due, row.missed_until, row.missed_count)
    if not accounted:
        return
    accounted = [round(due, 3) for due in sorted(accounted)]
    expected = []
    for due in timing.following(job.schedule_set_at.timestamp() - 0.001):
        if due > accounted[-1] + 0.001:
            break
        expected.append(round(due, 3))
    first = expected.index(accounted[0])
    assert accounted == expected[first:], (job.job_id, job.schedule, accounted, expected)
