"""The table finished_dependency: how jobs have ended that others with run_after wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..jobs.run import EndedRun
from .spi import Spi, Statement

HAS_DEPENDENTS = Statement("SELECT FROM ONLY @extschema@.job j WHERE j.run_after && $1 AND j.enabled LIMIT 1", "int8[]")
# Of several runs of a job the last one counts. A job that is disabled waits for nothing.
RECORD = Statement(
    """WITH dependent AS MATERIALIZED (
           SELECT j.job_id, e.job_id AS after_job_id, e.jl_id, j.run_when, e.state, j.defined_by, e.rolname
           FROM (SELECT a.* FROM ONLY @extschema@.job a WHERE a.run_after && $1 AND a.enabled OFFSET 0) j
           CROSS JOIN LATERAL unnest($1, $2, $3, $4) e (job_id, jl_id, state, rolname)
           WHERE e.job_id = ANY (j.run_after)
               AND NOT EXISTS (SELECT FROM @extschema@.job_state s
                               WHERE s.job_id = j.job_id AND s.disabled_at IS NOT NULL OFFSET 0)),
       -- The right may have been taken away since run_after was set.
       permitted AS MATERIALIZED (
           SELECT p.defined_by, p.rolname FROM (SELECT DISTINCT d.defined_by, d.rolname FROM dependent d) p
           WHERE @internal@.may_follow(p.defined_by, p.rolname))
       INSERT INTO @extschema@.finished_dependency AS f (job_id, after_job_id, jl_id, fulfilled, state, unchecked)
       SELECT d.job_id, d.after_job_id, d.jl_id, @internal@.is_fulfilled(d.run_when, d.state), d.state,
              (SELECT count(*) FROM dependent) > $5
       FROM dependent d JOIN permitted p ON p.defined_by = d.defined_by AND p.rolname = d.rolname
       ON CONFLICT (job_id, after_job_id) DO UPDATE
           SET jl_id = excluded.jl_id, fulfilled = excluded.fulfilled, state = excluded.state,
               unchecked = f.unchecked OR excluded.unchecked
       RETURNING job_id, unchecked""",
    *("int8[]", "int8[]", "text[]", "name[]", "int4"),
)


def record(spi: Spi, runs: Sequence[EndedRun], at_once: int) -> tuple[list[int], bool]:
    """Note how runs, one of each job, have ended; returns the jobs that wait for them, and whether these are so many
    that they are to be checked later."""
    # For most runs there is nothing to note, and to see that takes a fifth of the time.
    if not spi.execute(HAS_DEPENDENTS, [run.job_id for run in runs]):
        return [], False
    ended = [(run.job_id, run.jl_id, run.state, run.rolname) for run in runs]
    rows = spi.execute(RECORD, *(list(column) for column in zip(*ended)), at_once)
    spi.count_writes("finished_dependency", len(rows))
    return [row["job_id"] for row in rows if not row["unchecked"]], any(row["unchecked"] for row in rows)


TAKE_UNCHECKED = Statement(
    """UPDATE @extschema@.finished_dependency f SET unchecked = false
       WHERE f.unchecked AND f.job_id = ANY (ARRAY(
           SELECT u.job_id FROM @extschema@.finished_dependency u
           WHERE u.unchecked AND u.job_id > $1 ORDER BY u.job_id LIMIT $2))
       RETURNING f.job_id""",
    *("int8", "int4"),
)


def take_unchecked(spi: Spi, after: int, limit: int) -> list[int]:
    """The next jobs after this one that are to be checked."""
    return sorted({row["job_id"] for row in spi.execute(TAKE_UNCHECKED, after, limit)})


CHECK_NO_MORE = Statement(
    "UPDATE @extschema@.finished_dependency f SET unchecked = false WHERE f.job_id = ANY ($1) AND f.unchecked", "int8[]"
)


def check_no_more(spi: Spi, job_ids: Sequence[int]) -> None:
    """Do not look whether these jobs can start."""
    spi.execute(CHECK_NO_MORE, job_ids)


# A run that waits to be started follows what ends meanwhile, too: at most one waits for each job.
ENQUEUE_READY = Statement(
    """WITH ready AS (
           SELECT j.job_id, array_agg(d.jl_id) AS jl_ids
           FROM ONLY @extschema@.job j
           CROSS JOIN LATERAL (SELECT f.* FROM @extschema@.finished_dependency f
                               WHERE f.job_id = j.job_id AND f.after_job_id = ANY (j.run_after) OFFSET 0) d
           WHERE j.job_id = ANY ($1) AND j.enabled
             AND NOT EXISTS (SELECT FROM @extschema@.job_state s
                             WHERE s.job_id = j.job_id AND s.disabled_at IS NOT NULL)
             AND NOT EXISTS (SELECT FROM unnest(j.run_after) a (job_id)
                             WHERE NOT EXISTS (SELECT FROM ONLY @extschema@.job p WHERE p.job_id = a.job_id))
           GROUP BY j.job_id
           HAVING bool_and(coalesce(@internal@.is_fulfilled(j.run_when, d.state), d.fulfilled))
              AND count(*) = cardinality(j.run_after)),
       begun AS (DELETE FROM @extschema@.finished_dependency d
                 WHERE d.job_id = ANY (ARRAY(SELECT r.job_id FROM ready r)))
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, caused_by)
       SELECT 'run', 'dependency', r.job_id,
              coalesce((SELECT l.jl_id FROM @extschema@.job_log l WHERE l.jl_id = ANY (r.jl_ids)
                        ORDER BY l.job_finished DESC, l.jl_id DESC LIMIT 1),
                       r.jl_ids[1])
       FROM ready r
       WHERE NOT EXISTS (SELECT FROM @extschema@.worker_request i
                         WHERE i.kind = 'run' AND i.job_id = r.job_id AND i.cause = 'dependency')
       ORDER BY r.job_id
       RETURNING job_id""",
    "int8[]",
)


def enqueue_ready(spi: Spi, job_ids: Sequence[int]) -> bool:
    """Ask for a run of those of the jobs for which all has ended as they want it; whether there are any."""
    return bool(len(spi.execute(ENQUEUE_READY, job_ids)))


FORGET_OTHERS = Statement(
    """DELETE FROM @extschema@.finished_dependency d
       WHERE d.job_id = ANY ($1)
         AND NOT EXISTS (SELECT FROM ONLY @extschema@.job j
                         WHERE j.job_id = d.job_id AND d.after_job_id = ANY (j.run_after) AND j.enabled OFFSET 0)""",
    "int8[]",
)


def forget_others(spi: Spi, job_ids: Sequence[int]) -> None:
    """Forget what these jobs no longer wait for; those that are disabled wait for nothing."""
    spi.execute(FORGET_OTHERS, job_ids)


FORGET_ENDED = Statement(
    """DELETE FROM @extschema@.finished_dependency d USING unnest($1, $2) b (job_id, moment)
       WHERE d.job_id = b.job_id AND d.job_id = ANY ($1)
         AND NOT EXISTS (SELECT FROM @extschema@.job_log l
                         WHERE l.jl_id = d.jl_id AND l.job_finished > to_timestamp(b.moment) OFFSET 0)""",
    *("int8[]", "float8[]"),
)


def forget_ended(spi: Spi, before: Mapping[int, float]) -> None:
    """Forget what has ended before these moments that these jobs waited for."""
    spi.execute(FORGET_ENDED, list(before), list(before.values()))
