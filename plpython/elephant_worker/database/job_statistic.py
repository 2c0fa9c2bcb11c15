"""The table job_statistic: how the runs of each job went, and how many rows of the log it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..jobs.run import Run
from ..jobs.run_counts import LAST_STATES, SAMPLES, Tally, tally
from .spi import Spi, Statement, microseconds, numbered

BEGIN = Statement(
    """INSERT INTO @extschema@.job_statistic (job_id, irregular)
       SELECT j.job_id, false FROM ONLY @extschema@.job j WHERE j.job_id = ANY ($1) ON CONFLICT (job_id) DO NOTHING""",
    "int8[]",
)


def begin(spi: Spi, job_ids: Sequence[int]) -> None:
    """Have a row for each job that is new."""
    spi.execute(BEGIN, job_ids)
    spi.count_writes("job_statistic", len(job_ids))


# Of the jobs that were counted, those that have more rows in the log than they may keep, by so many that it is worth
# while to delete them.
OVERFULL = """SELECT c.job_id FROM counted c
       WHERE c.log_rows > (SELECT w.log_max_rows + greatest(10, w.log_max_rows / 10)
                           FROM @extschema@.worker_setting w)"""
# Arrays in the row get shorter in front before they get longer at the end.
COUNT = Statement(
    f"""WITH counted AS (
           UPDATE @extschema@.job_statistic s
           SET last_executed = greatest(s.last_executed, to_timestamp(r.executed / 1e6)),
               last_success = greatest(s.last_success, to_timestamp(r.succeeded / 1e6)),
               success_count = s.success_count + r.successes,
               failure_count = CASE WHEN r.successes > 0 THEN r.failures ELSE s.failure_count + r.failures END,
               failure_total = s.failure_total + r.failure_total,
               cancelled_count = s.cancelled_count + r.cancelled,
               skipped_count = s.skipped_count + r.skipped,
               missed_count = s.missed_count + r.missed,
               last_states = (r.states || s.last_states)[:$2],
               durations = s.durations[cardinality(s.durations) + cardinality(r.durations) - $3 + 1:] || r.durations,
               delays = s.delays[cardinality(s.delays) + cardinality(r.delays) - $3 + 1:] || r.delays,
               log_rows = s.log_rows + r.rows,
               irregular = CASE WHEN s.irregular OR s.irregular IS NULL OR r.skipped > 0 OR r.missed > 0
                                THEN (r.states || s.last_states)[1] = 'missed'
                                    OR cardinality(array_positions((r.states || s.last_states)[:$2], 'skipped')) >= 5
                                ELSE false END
           FROM unnest($1) r CROSS JOIN {numbered("@extschema@.job_statistic", "job_id", "r.job_id")} t
           WHERE s.ctid = t.ctid
           RETURNING s.job_id, s.log_rows)
       {OVERFULL}""",  # noqa: S608 - a part of this module
    *("@extschema@.counted_runs[]", "int4", "int4"),
)


def count(spi: Spi, runs: Sequence[Run]) -> list[int]:
    """Count runs that have ended; returns the jobs that have more rows in the log than they may keep."""
    tallies = tally(runs)
    counted = [counted_runs(job_id, counts) for job_id, counts in tallies.items()]
    rows = spi.execute(COUNT, counted, LAST_STATES, SAMPLES)
    spi.count_writes("job_statistic", len(tallies))
    return [row["job_id"] for row in rows]


def counted_runs(job_id: int, counts: Tally) -> tuple[Any, ...]:
    """A value of the type counted_runs."""
    return (
        job_id,
        microseconds(counts.executed),
        microseconds(counts.succeeded),
        counts.successes,
        counts.failures,
        counts.failure_total,
        counts.cancelled,
        counts.skipped,
        counts.missed,
        counts.rows,
        counts.states[: -LAST_STATES - 1 : -1],
        counts.durations[-SAMPLES:],
        counts.delays[-SAMPLES:],
    )


OVERFULL_JOBS = Statement(
    """SELECT s.job_id, s.log_rows > w.log_max_rows AS overfull
       FROM @extschema@.job_statistic s, @extschema@.worker_setting w
       WHERE s.job_id > $1 ORDER BY s.job_id LIMIT $2""",
    *("int8", "int4"),
)


def overfull_jobs(spi: Spi, after: int, limit: int) -> tuple[int | None, list[int]]:
    """The jobs after this one that have more rows in the log than they may keep; first the last job that was looked
    at, None: there are no more."""
    rows = spi.execute(OVERFULL_JOBS, after, limit)
    last = rows[-1]["job_id"] if len(rows) == limit else None
    return last, [row["job_id"] for row in rows if row["overfull"]]


FAILING_JOBS = Statement(
    """SELECT t.job_id FROM @extschema@.job_statistic t WHERE t.failure_count > 0
       UNION SELECT s.job_id FROM @extschema@.job_state s
       WHERE s.quarantined_reason IS NOT NULL
           -- What was told last of how the job does; a run that succeeds after a quarantine is told of.
           OR (SELECT a.event FROM @extschema@.alert a
               WHERE (a.job_id, a.alert_id) >= (s.job_id, 0)
                   AND (a.job_id, a.alert_id) <= (s.job_id, 9223372036854775807)
                   AND a.event IN ('failed', 'timed out', 'lost', 'quarantined', 'recovered')
               ORDER BY a.job_id DESC, a.alert_id DESC LIMIT 1) = 'quarantined'"""
)


def failing_jobs(spi: Spi) -> set[int]:
    """The jobs whose last run failed, or that do not run at all: the next that succeeds has recovered."""
    return {row["job_id"] for row in spi.execute(FAILING_JOBS)}


USUAL_DURATIONS = Statement(
    """SELECT t.job_id, u.p95
       FROM @extschema@.job_statistic t
       CROSS JOIN LATERAL (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY d) AS p95, count(*) AS samples
                           FROM unnest(t.durations) d) u
       WHERE t.job_id = ANY ($1) AND u.samples >= 20""",
    "int8[]",
)


def usual_durations(spi: Spi, job_ids: Sequence[int]) -> dict[int, float]:
    """In how many seconds 95 of 100 runs end, by job; jobs with few runs are left out."""
    return {row["job_id"]: row["p95"] for row in spi.execute(USUAL_DURATIONS, job_ids)}
