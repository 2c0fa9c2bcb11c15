"""What the report shows, through the views: with the rights of whoever asks.

The log is read once for each part, and added up where it is. Moments are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .spi import Spi, Statement

# Runs that belong to no job have negative numbers; they share a lane.
RUNS = """
    SELECT greatest(l.job_id, 0) AS lane, l.jl_id, l.state, l.rolname, l.datname, l.job_name, l.job_sqlstate,
           l.exception_message, coalesce(l.job_started, l.scheduled_at) AS moment,
           date_part('epoch', l.scheduled_at) AS due,
           date_part('epoch', l.job_started) AS started,
           date_part('epoch', CASE l.state WHEN 'running' THEN to_timestamp($2)
                              WHEN 'missed' THEN coalesce(l.missed_until, l.scheduled_at)
                              ELSE l.job_finished END) AS ended,
           coalesce(l.missed_count, 1) AS times
    FROM @internal@.visible_job_log l
    WHERE coalesce(l.job_finished, 'infinity') >= to_timestamp($1)"""


def _of_runs(text: str, *types: str) -> Statement:
    """A statement that reads the runs which have ended since $1, and those that are active at $2."""
    return Statement(text.replace("@runs@", RUNS), *types)


CIRCUMSTANCES = Statement(
    """SELECT date_part('epoch', clock_timestamp()) AS made_at, current_user::text AS role,
           current_database()::text AS database, current_setting('cluster_name') AS cluster,
           s.running, s.reason, pg_has_role('job_monitor', 'USAGE') AS sees_all
       FROM @extschema@.worker_status s"""
)
PROBLEMS = Statement(
    """SELECT p.problem, date_part('epoch', p.since) AS since, p.job_id, p.job, p.rolname::text, p.datname::text,
           left(p.what, 1000) AS what, p.remedy, count(*) OVER () AS total
       FROM @extschema@.problem p LIMIT 200"""
)


def circumstances(spi: Spi) -> dict[str, Any]:
    """When the report is made, for whom, and how the worker is."""
    return dict(spi.execute(CIRCUMSTANCES)[0])


def problems(spi: Spi) -> list[dict[str, Any]]:
    """What needs attention, the gravest first, as far as it is shown; `total` is the number of all."""
    return [dict(row) for row in spi.execute(PROBLEMS)]


CLIENT_ENCODING = Statement("SELECT current_setting('client_encoding') = 'UTF8' AS utf8")


def client_knows_utf8(spi: Spi) -> bool:
    """Whether the client has asked for UTF-8."""
    return bool(spi.execute(CLIENT_ENCODING)[0]["utf8"])


LANES = _of_runs(
    """WITH run AS (
           SELECT r.lane, max(r.rolname::text) AS rolname, max(r.datname::text) AS datname, max(r.job_name) AS job_name,
               array_agg(r.state) AS states, array_agg(r.runs) AS counts, sum(r.runs) AS runs,
               sum(r.runs) FILTER (WHERE r.state IN ('failed', 'timed out', 'lost')) AS failures
           FROM (SELECT r.lane, r.state, max(r.rolname::text) AS rolname, max(r.datname::text) AS datname,
                     max(r.job_name) AS job_name, count(*) AS runs
                 FROM (@runs@) r GROUP BY 1, 2) r GROUP BY r.lane),
       job AS (
           SELECT j.job_id, @internal@.job_label(j.job_name, j.job_description, j.job_command) AS job, j.rolname,
               j.datname, j.server, j.schedule, j.timezone, j.enabled, least(j.next_run_at, j.retry_at) AS next_run_at
           FROM @internal@.visible_job j)
       SELECT coalesce(j.job_id, r.lane) AS lane, j.job_id IS NOT NULL AS exists, coalesce(j.job, r.job_name) AS job,
           coalesce(j.rolname::text, r.rolname) AS rolname, coalesce(j.datname::text, r.datname) AS datname,
           j.server::text, j.schedule, j.timezone, j.enabled,
           date_part('epoch', nullif(j.next_run_at, 'infinity')) AS next_run_at, r.states, r.counts,
           count(*) OVER () AS total
       FROM job j FULL JOIN run r ON r.lane = j.job_id
       ORDER BY array_position($3, coalesce(j.job_id, r.lane)), r.failures DESC NULLS LAST, r.runs DESC NULLS LAST, 1
       LIMIT $4""",
    *("float8", "float8", "int8[]", "int4"),
)
MARKS = _of_runs(
    """SELECT m.lane, m.state, m.grouped, array_agg(m.due ORDER BY m.due) AS due,
           array_agg(m.late ORDER BY m.due) AS late, array_agg(m.took ORDER BY m.due) AS took,
           array_agg(m.runs ORDER BY m.due) AS runs
       FROM (SELECT r.lane, r.state, b.lane IS NOT NULL AS grouped, min(r.due) AS due, max(r.started - r.due) AS late,
                 max(r.ended - coalesce(r.started, r.due)) AS took, sum(r.times)::int8 AS runs
             FROM (@runs@) r LEFT JOIN unnest($4, $5) b (lane, state) ON b.lane = r.lane AND b.state = r.state
             WHERE r.lane = ANY ($3)
             GROUP BY 1, 2, 3, CASE WHEN b.lane IS NULL THEN r.jl_id ELSE floor((r.due - $1) / $6)::int8 END) m
       GROUP BY 1, 2, 3""",
    *("float8", "float8", "int8[]", "int8[]", "text[]", "float8"),
)


def lanes(spi: Spi, since: float, until: float, first: Sequence[int], most: int) -> list[dict[str, Any]]:
    """The jobs, and what ran without one that still exists: those of `first`, then those that failed most, then those
    that ran most; `total` is the number of all."""
    return [dict(row) for row in spi.execute(LANES, since, until, list(first), most)]


def marks(
    spi: Spi, since: float, until: float, chosen: Sequence[int], busy: Sequence[tuple[int, str]], width: float
) -> list[dict[str, Any]]:
    """The runs of some lanes, for each of their states: when they were due, seconds late, and seconds they took. Those
    of busy lanes and states are grouped into slots of some seconds, with the largest of both and their number."""
    busy_lanes, busy_states = [lane for lane, _ in busy], [state for _, state in busy]
    return [dict(row) for row in spi.execute(MARKS, since, until, list(chosen), busy_lanes, busy_states, width)]


RAN = _of_runs(
    """SELECT floor(date_part('epoch', r.moment) / 3600)::int8 AS hour, count(*) AS runs,
           count(*) FILTER (WHERE r.state IN ('failed', 'timed out', 'lost')) AS failures
       FROM (@runs@) r WHERE r.state NOT IN ('missed', 'skipped') GROUP BY 1""",
    *("float8", "float8"),
)
SCHEDULES = Statement(
    """SELECT j.schedule, j.timezone, j.dst, j.job_id::text AS seed, date_part('epoch', j.starts_at) AS starts_at,
           date_part('epoch', j.ends_at) AS ends_at, date_part('epoch', g.begins_at) AS anchor
       FROM (SELECT * FROM @internal@.visible_job j
             WHERE j.schedule IS NOT NULL AND j.enabled AND j.next_run_at IS NOT NULL ORDER BY j.job_id LIMIT 10000) j
       JOIN @internal@.job_grid g USING (job_id)"""
)


def ran_per_hour(spi: Spi, since: float, until: float) -> list[dict[str, Any]]:
    """How much ran in each hour since 1970, and how much of it failed."""
    return [dict(row) for row in spi.execute(RAN, since, until)]


def schedules(spi: Spi) -> list[dict[str, Any]]:
    """What the jobs that will be due are due by."""
    return [dict(row) for row in spi.execute(SCHEDULES)]


DURATIONS = _of_runs(
    """SELECT d.lane, d.runs, d.median, d.before, d.after
       FROM (SELECT h.lane, count(*) AS runs,
                 percentile_cont(0.5) WITHIN GROUP (ORDER BY h.took) AS median,
                 percentile_cont(0.5) WITHIN GROUP (ORDER BY h.took) FILTER (WHERE h.half = 1) AS before,
                 percentile_cont(0.5) WITHIN GROUP (ORDER BY h.took) FILTER (WHERE h.half = 2) AS after
             FROM (SELECT r.lane, r.ended - r.started AS took,
                       ntile(2) OVER (PARTITION BY r.lane ORDER BY r.due) AS half
                   FROM (@runs@) r WHERE r.state = 'succeeded' AND r.lane = ANY ($3)) h
             GROUP BY h.lane) d
       ORDER BY d.median DESC""",
    *("float8", "float8", "int8[]"),
)
TRENDS = _of_runs(
    """SELECT p.lane, array_agg(p.due ORDER BY p.due) AS due, array_agg(p.took ORDER BY p.due) AS took
       FROM (SELECT t.lane, t.piece, min(t.due) AS due, percentile_cont(0.5) WITHIN GROUP (ORDER BY t.took) AS took
             FROM (SELECT r.lane, r.due, r.ended - r.started AS took,
                       ntile($4) OVER (PARTITION BY r.lane ORDER BY r.due) AS piece
                   FROM (@runs@) r WHERE r.state = 'succeeded' AND r.lane = ANY ($3)) t
             GROUP BY 1, 2) p
       GROUP BY p.lane""",
    *("float8", "float8", "int8[]", "int4"),
)


def durations(spi: Spi, since: float, until: float, chosen: Sequence[int]) -> list[dict[str, Any]]:
    """How long the successful runs of some jobs took, the slowest first: the median of all, and of the earlier and the
    later half."""
    return [dict(row) for row in spi.execute(DURATIONS, since, until, list(chosen))]


def trends(spi: Spi, since: float, until: float, chosen: Sequence[int], points: int) -> list[dict[str, Any]]:
    """The durations of the successful runs of some jobs, one after the other, each the median of a few."""
    return [dict(row) for row in spi.execute(TRENDS, since, until, list(chosen), points)]


FAILURES = _of_runs(
    # Numbers in messages differ from run to run.
    """SELECT f.kind, f.sqlstate, f.message, f.runs, f.first, f.last, f.jobs, f.job_count, count(*) OVER () AS total
       FROM (SELECT g.kind, g.sqlstate, sum(g.runs)::int8 AS runs, min(g.first) AS first, max(g.last) AS last,
                 (array_agg(g.message ORDER BY g.last DESC))[1] AS message,
                 (array_agg(g.lane ORDER BY g.last DESC))[1:20] AS jobs, count(*) AS job_count
             FROM (SELECT m.kind, m.sqlstate, m.lane, sum(m.runs) AS runs, min(m.first) AS first, max(m.last) AS last,
                       (array_agg(m.message ORDER BY m.last DESC))[1] AS message
                   FROM (SELECT r.job_sqlstate AS sqlstate, r.lane, left(r.exception_message, 1000) AS message,
                             regexp_replace(left(r.exception_message, 1000), '[0-9]+', '0', 'g') AS kind,
                             count(*) AS runs, date_part('epoch', min(r.moment)) AS first,
                             date_part('epoch', max(r.moment)) AS last
                         FROM (@runs@) r WHERE r.state IN ('failed', 'timed out', 'lost') GROUP BY 1, 2, 3) m
                   GROUP BY 1, 2, 3) g
             GROUP BY 1, 2) f
       ORDER BY f.runs DESC, f.last DESC LIMIT 50""",
    *("float8", "float8"),
)


def failures(spi: Spi, since: float, until: float) -> list[dict[str, Any]]:
    """Failed runs by their message but for its numbers, of which the latest is shown: how many, the first and the last,
    and the jobs, the last one first; `total` is the number of all kinds."""
    return [dict(row) for row in spi.execute(FAILURES, since, until)]
