"""The table job_log: one row for each run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..jobs.job import Job
from ..jobs.known_jobs import KnownJobs
from ..jobs.run import EndedRun, Run, RunState
from ..jobs.run_counts import LAST_STATES, SAMPLES
from . import worker_request
from .job import DEFINITION, read_jobs
from .job_statistic import OVERFULL
from .spi import Spi, Statement, columns_of, lookup, microseconds, numbered

INSERT = """INSERT INTO @extschema@.job_log
           (jl_id, job_id, rolname, datname, server, cause, scheduled_at, attempt, caused_by, job_command, version,
            state, job_name)
       SELECT r.jl_id, r.job_id, r.rolname, r.datname, r.server, r.cause, to_timestamp(r.scheduled_at / 1e6), r.attempt,
              r.caused_by, r.job_command, r.version, 'running', r.job_name
       FROM unnest($1) r"""
BEGIN = Statement(INSERT, "@extschema@.begun_run[]")
BEGIN_NEW = Statement(
    f"{INSERT} ON CONFLICT (job_id, scheduled_at) WHERE cause = 'schedule' DO NOTHING RETURNING jl_id",
    "@extschema@.begun_run[]",
)


def begin(spi: Spi, runs: Sequence[Run]) -> list[Run]:
    """Begin the log of runs; returns those whose due time the log has already: they must not run."""
    begun = [_begun_run(run) for run in runs]
    try:
        spi.execute(BEGIN, begun)
    except spi.exceptions.UniqueViolation:
        # Looks for each of them before it inserts it, which takes longer.
        try:
            logged = {row["jl_id"] for row in spi.execute(BEGIN_NEW, begun)}
        except spi.exceptions.UniqueViolation:
            # That is not undone by the rollback: the next transaction has new numbers.
            worker_request.advance_sequences(spi)
            raise
        known = [run for run in runs if run.jl_id not in logged]
    else:
        known = []
    spi.count_writes("job_log", len(runs))
    return known


# Has jobs be due again and begins the log of their runs: the rows are as they are known, nothing is in the way
# where they run, which is found out once for those in the same place, and they are due as they were.
BEGIN_KNOWN = Statement(
    f"""WITH place AS MATERIALIZED (
           SELECT p.job_id FROM unnest($6, $7, $8, $9) p (job_id, row_version, role_oid, database_oid)
           CROSS JOIN {lookup("@internal@.job_for_worker", "p.job_id")} w
           WHERE w.row_version = p.row_version AND w.obstacle IS NULL
               AND w.role_oid = p.role_oid AND w.database_oid IS NOT DISTINCT FROM p.database_oid),
       due AS (
           UPDATE @extschema@.job_state s SET next_run_at = to_timestamp(k.due_again / 1e6), resume_at = NULL
           FROM unnest($1, $2, $3, $4, $5) k (job_id, row_version, in_same_place, due, due_again)
           CROSS JOIN {numbered("@extschema@.job_state", "job_id", "k.job_id")} t
           CROSS JOIN LATERAL (SELECT j.xmin AS row_version, j.schedule_set_at, j.rolname, j.datname, j.server,
                                   j.job_command, j.version, j.job_name
                               FROM ONLY @extschema@.job j WHERE j.job_id = k.job_id OFFSET 0) j
           CROSS JOIN {lookup("place", "k.in_same_place")} p
           WHERE s.ctid = t.ctid AND j.row_version = k.row_version AND t.schedule_set_at = j.schedule_set_at
               AND t.quarantined_reason IS NULL AND t.next_run_at = to_timestamp(k.due / 1e6)
           RETURNING k.due, j.*, s.job_id)
       INSERT INTO @extschema@.job_log
           (jl_id, job_id, rolname, datname, server, cause, scheduled_at, job_command, version, state, job_name)
       SELECT nextval('@extschema@.worker_inbox_request_id_seq'), d.job_id, d.rolname, d.datname, d.server, 'schedule',
              to_timestamp(d.due / 1e6), d.job_command, d.version, 'running', d.job_name
       FROM due d RETURNING job_id, jl_id""",  # noqa: S608 - names in this package
    *("int8[]", "xid[]", "int8[]", "float8[]", "float8[]", "int8[]", "xid[]", "oid[]", "oid[]"),
)


def begin_known(
    spi: Spi, runs: Sequence[Run], known: KnownJobs, next_run_at: Mapping[int, float | None]
) -> dict[int, int]:
    """Begin the log of runs of known jobs, whose jobs are due at these times then; returns the numbers of the runs by
    job, without those whose jobs are not what is known of them."""
    job_ids = [run.job_id for run in runs]
    in_same_place, places = known.places(job_ids)
    due = [microseconds(run.scheduled_at) for run in runs]
    due_again = [microseconds(next_run_at[job_id]) for job_id in job_ids]
    columns = job_ids, known.versions(job_ids), in_same_place, due, due_again
    try:
        rows = spi.execute(BEGIN_KNOWN, *columns, *columns_of(places))
    except spi.exceptions.UniqueViolation:  # the log has one of them already
        return {}
    spi.count_writes("job_state", len(rows))
    spi.count_writes("job_log", len(rows))
    return {row["job_id"]: row["jl_id"] for row in rows}


def _begun_run(run: Run) -> tuple[Any, ...]:
    """A value of the type begun_run."""
    return (
        run.jl_id,
        run.job_id,
        *run.target.names,
        run.cause,
        microseconds(run.scheduled_at),
        run.attempt,
        run.caused_by,
        run.command,
        run.version,
        run.job_name,
    )


COMPLETE = Statement(
    f"""UPDATE @extschema@.job_log l
       SET state = r.state, job_started = to_timestamp(r.started / 1e6), job_finished = to_timestamp(r.finished / 1e6),
           job_sqlstate = r.sqlstate, exception_message = r.message, exception_detail = r.detail,
           exception_hint = r.hint, exception_context = r.context, command_tag = r.command_tag,
           row_count = r.row_count, notices = r.notices, missed_count = r.missed_count,
           missed_until = to_timestamp(r.missed_until / 1e6), cpu_time = make_interval(secs => r.cpu_time),
           bytes_read = r.bytes_read, bytes_written = r.bytes_written
       FROM unnest($1) r CROSS JOIN {numbered("@extschema@.job_log", "jl_id", "r.jl_id")} n
       WHERE l.ctid = n.ctid""",  # noqa: S608 - names in this package
    "@extschema@.ended_run[]",
)


def complete(spi: Spi, runs: Sequence[Run]) -> None:
    """Complete the log of runs that have ended."""
    spi.execute(COMPLETE, [_ended_run(run) for run in runs])


def _ended_run(run: Run) -> tuple[Any, ...]:
    """A value of the type ended_run."""
    outcome, cost = run.outcome, run.cost
    assert outcome is not None
    return (
        run.jl_id,
        outcome.state,
        microseconds(run.started),
        microseconds(run.finished),
        outcome.sqlstate,
        outcome.message,
        outcome.detail,
        outcome.hint,
        outcome.context,
        outcome.command_tag,
        outcome.row_count,
        outcome.notices,
        run.missed_count,
        microseconds(run.missed_until),
        cost and cost.cpu_time,
        cost and cost.bytes_read,
        cost and cost.bytes_written,
    )


# Completes the log of runs and counts each as the only one of its job, as COMPLETE and job_statistic.COUNT do: one more
# success cannot make a job irregular.
SUCCEED = Statement(
    f"""WITH ended AS (
           UPDATE @extschema@.job_log l
           SET state = 'succeeded', job_started = to_timestamp(r.started / 1e6),
               job_finished = to_timestamp(r.finished / 1e6), job_sqlstate = '00000', command_tag = r.command_tag,
               row_count = r.row_count, notices = r.notices
           FROM unnest($1, $2, $3, $4, $5, $6) r (jl_id, started, finished, command_tag, row_count, notices)
           CROSS JOIN {numbered("@extschema@.job_log", "jl_id", "r.jl_id")} n
           WHERE l.ctid = n.ctid
           RETURNING l.job_id, l.job_started, l.job_finished, ((r.finished - r.started) / 1e6)::real AS duration,
               date_part('epoch', l.job_started - l.scheduled_at)::real AS delay),
       counted AS (
           UPDATE @extschema@.job_statistic s
           SET last_executed = greatest(s.last_executed, r.job_started),
               last_success = greatest(s.last_success, r.job_finished),
               success_count = s.success_count + 1,
               failure_count = 0,
               last_states = ('succeeded'::text || s.last_states)[:$7],
               durations = s.durations[cardinality(s.durations) - $8 + 2:] || r.duration,
               delays = s.delays[cardinality(s.delays) - $8 + 2:] || r.delay,
               log_rows = s.log_rows + 1,
               irregular = s.irregular IS NOT FALSE
                   AND cardinality(array_positions(('succeeded'::text || s.last_states)[:$7], 'skipped')) >= 5
           FROM ended r
           CROSS JOIN {numbered("@extschema@.job_statistic", "job_id", "r.job_id")} t
           WHERE s.ctid = t.ctid
           RETURNING s.job_id, s.log_rows)
       {OVERFULL}""",  # noqa: S608 - names in this package
    *("int8[]", "int8[]", "int8[]", "text[]", "int8[]", "text[]", "int4", "int4"),
)


def succeed(spi: Spi, runs: Sequence[Run]) -> list[int]:
    """Complete the log of runs that have succeeded, and count them; each is the only one of its job, and what it has
    cost is not known. Returns the jobs that have more rows in the log than they may keep."""
    outcomes = [run.outcome for run in runs]
    rows = spi.execute(
        SUCCEED,
        [run.jl_id for run in runs],
        [microseconds(run.started) for run in runs],
        [microseconds(run.finished) for run in runs],
        [outcome and outcome.command_tag for outcome in outcomes],
        [outcome and outcome.row_count for outcome in outcomes],
        [outcome and outcome.notices for outcome in outcomes],
        LAST_STATES,
        SAMPLES,
    )
    spi.count_writes("job_statistic", len(runs))
    return [row["job_id"] for row in rows]


END_LOST = """UPDATE @extschema@.job_log l
           SET state = 'lost', job_finished = clock_timestamp(), job_sqlstate = '57P02',
               exception_message = 'the worker or the server ended during the run',
               exception_detail = 'How far the command had got is not known.',
               exception_hint = 'The server''s log may say more.'
           WHERE l.state = 'running' AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)"""
END_ORPHANED = Statement(END_LOST)
END_ORPHANED_AND_COUNT = Statement(
    f"""WITH lost AS ({END_LOST} RETURNING l.job_id)
       UPDATE @extschema@.job_statistic s
       SET failure_count = s.failure_count + r.failures, failure_total = s.failure_total + r.failures,
           last_states = (array_fill('lost'::text, ARRAY[r.failures]) || s.last_states)[:$1]
       FROM (SELECT lost.job_id, count(*)::int4 AS failures FROM lost GROUP BY lost.job_id) r
       WHERE s.job_id = r.job_id""",  # noqa: S608 - a statement of this module
    "int4",
)
STALLED = Statement(
    # Due times that are not in the log yet come after the last one that is.
    f"""SELECT {DEFINITION}, l.job_id, 0 AS jl_id,
           date_part('epoch', coalesce(
               (SELECT coalesce(d.missed_until, d.scheduled_at) FROM @extschema@.job_log d
                WHERE d.job_id = l.job_id AND d.cause = 'schedule' ORDER BY d.scheduled_at DESC LIMIT 1),
               l.scheduled_at)) AS scheduled_at
       FROM (SELECT r.job_id, max(r.scheduled_at) AS scheduled_at FROM @extschema@.job_log r
             WHERE r.state = 'lost' AND r.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)
             GROUP BY r.job_id) l
       CROSS JOIN {numbered("@extschema@.job_state", "job_id", "l.job_id")} s
       CROSS JOIN {lookup("@internal@.job_for_worker", "l.job_id")} w
       WHERE s.next_run_at IS NULL AND s.disabled_at IS NULL AND w.enabled AND w.schedule IS NOT NULL"""  # noqa: S608 - names of columns
)


def end_orphaned_runs(spi: Spi, counted: bool) -> None:
    """End the runs that an earlier worker has left, and count them as failures of their jobs."""
    if counted:
        spi.execute(END_ORPHANED_AND_COUNT, LAST_STATES)
    else:
        spi.execute(END_ORPHANED)


def stalled_jobs(spi: Spi) -> list[Job]:
    """The jobs that waited for such a run to end before they are due again."""
    return read_jobs(spi.execute(STALLED), cause="schedule")


ENDED_RUN = """l.jl_id, l.job_id, l.cause, l.attempt, date_part('epoch', l.scheduled_at) AS scheduled_at,
           l.rolname::text, l.datname::text, l.server::text, l.state, l.job_sqlstate AS sqlstate,
           l.exception_message AS message"""
LOST_RUNS = Statement(
    f"""SELECT {ENDED_RUN}
       FROM @extschema@.job_log l
       WHERE l.state = 'lost' AND l.job_finished >= now()
         AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)"""  # noqa: S608 - names of columns
)
FAILED_RUNS = Statement(
    f"""SELECT {ENDED_RUN}
       FROM unnest($1) n (jl_id) CROSS JOIN {numbered("@extschema@.job_log", "jl_id", "n.jl_id")} l
       WHERE l.state IN ('failed', 'timed out', 'lost')
       ORDER BY l.jl_id""",  # noqa: S608 - names of columns
    "int8[]",
)


def lost_runs(spi: Spi) -> list[EndedRun]:
    """The runs that this transaction has ended as lost."""
    return _ended_runs(spi.execute(LOST_RUNS))


def failed_runs(spi: Spi, jl_ids: Sequence[int]) -> list[EndedRun]:
    """Those of these runs that failed and are still in the log."""
    return _ended_runs(spi.execute(FAILED_RUNS, jl_ids))


def _ended_runs(rows: Iterable[dict[str, Any]]) -> list[EndedRun]:
    return [EndedRun(**{**row, "state": RunState(row["state"])}) for row in rows]


NEWEST_MOMENT = Statement(
    # What was due has been claimed then; the due time of a retry is what its job's row said.
    """SELECT date_part('epoch', greatest(CASE l.cause WHEN 'schedule' THEN l.scheduled_at END,
                                          l.job_started, l.job_finished)) AS moment
       FROM @extschema@.job_log l ORDER BY l.jl_id DESC LIMIT 1"""
)


def newest_moment(spi: Spi) -> float | None:
    """The latest moment in the last row of the log, in seconds since 1970."""
    rows = spi.execute(NEWEST_MOMENT)
    return rows[0]["moment"] if rows else None


PRUNE_BY_AGE = Statement(
    # Runs that last as long as this are passed over, and found again when they have ended; so are rows that somebody
    # is deleting through cron.job_run_details, and these are found again when the worker next begins.
    """WITH oldest AS MATERIALIZED (
           SELECT l.jl_id, l.ctid, l.job_finished < to_timestamp($2) AS old FROM @extschema@.job_log l
           WHERE l.jl_id >= $1 AND l.state <> 'running' ORDER BY l.jl_id LIMIT $3),
       free AS MATERIALIZED (
           SELECT l.ctid FROM @extschema@.job_log l
           WHERE l.ctid = ANY (ARRAY(SELECT o.ctid FROM oldest o WHERE o.old)) FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM @extschema@.job_log l WHERE l.ctid = ANY (ARRAY(SELECT f.ctid FROM free f))
                RETURNING l.jl_id)
       SELECT (SELECT count(*) FROM gone) AS gone,
           least(w.lowest_open_run, coalesce((SELECT min(o.jl_id) FROM oldest o WHERE NOT o.old),
                                             (SELECT max(o.jl_id) + 1 FROM oldest o), $1)) AS lowest
       FROM @extschema@.worker_state w""",
    *("int8", "float8", "int4"),
)


def prune_by_age(spi: Spi, lowest: int, before: float, limit: int) -> tuple[int, int]:
    """Delete the oldest rows that ended before this moment, from this jl_id on; returns how many, and from which
    jl_id on the next ones are."""
    row = spi.execute(PRUNE_BY_AGE, lowest, before, limit)[0]
    spi.count_writes("job_log", row["gone"])
    return row["gone"], row["lowest"]


PRUNE_BY_COUNT = Statement(
    f"""WITH job AS MATERIALIZED (
           SELECT s.job_id, s.ctid, s.oldest_run,
               (SELECT l.jl_id FROM @extschema@.job_log l
                WHERE l.job_id = s.job_id AND l.state IN ('succeeded', 'skipped')
                ORDER BY l.jl_id DESC OFFSET $2 LIMIT 1) AS newest
           FROM unnest($1) n (job_id)
           CROSS JOIN {numbered("@extschema@.job_statistic", "job_id", "n.job_id")} s),
       surplus AS MATERIALIZED (
           SELECT j.job_id, l.jl_id, l.ctid FROM job j CROSS JOIN LATERAL (
               SELECT o.jl_id, o.ctid FROM @extschema@.job_log o
               WHERE o.job_id = j.job_id AND o.jl_id BETWEEN j.oldest_run AND j.newest
                 AND o.state IN ('succeeded', 'skipped')
               ORDER BY o.jl_id LIMIT $3) l),
       free AS MATERIALIZED (
           SELECT l.jl_id, l.ctid FROM @extschema@.job_log l
           WHERE l.ctid = ANY (ARRAY(SELECT o.ctid FROM surplus o)) FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM @extschema@.job_log l WHERE l.ctid = ANY (ARRAY(SELECT f.ctid FROM free f)))
       UPDATE @extschema@.job_statistic s
       SET log_rows = CASE WHEN r.rows < $3 AND r.first_left IS NULL THEN $2 ELSE s.log_rows END,
           oldest_run = greatest(s.oldest_run, least(w.lowest_open_run, coalesce(r.first_left, r.last + 1, 0)))
       FROM (SELECT j.ctid, count(f.jl_id) AS rows, max(o.jl_id) AS last,
                 min(o.jl_id) FILTER (WHERE f.jl_id IS NULL) AS first_left
             FROM job j LEFT JOIN surplus o ON o.job_id = j.job_id LEFT JOIN free f ON f.jl_id = o.jl_id
             GROUP BY j.ctid) r,
            @extschema@.worker_state w
       WHERE s.ctid = r.ctid
       RETURNING s.job_id, r.rows AS gone""",  # noqa: S608 - names in this package
    *("int8[]", "int4", "int4"),
)


def prune_by_count(spi: Spi, job_ids: Sequence[int], kept: int, limit: int) -> list[int]:
    """Delete the oldest rows of each of these jobs beyond the number to keep, up to a limit, of runs that succeeded or
    were skipped; returns the jobs for which the limit was reached."""
    rows = spi.execute(PRUNE_BY_COUNT, job_ids, kept, limit)
    spi.count_writes("job_log", sum(row["gone"] for row in rows))
    return [row["job_id"] for row in rows if row["gone"] == limit]
