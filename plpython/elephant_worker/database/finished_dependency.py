"""The table finished_dependency: how jobs have ended that others with run_after wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..jobs.run import EndedRun
from .spi import Spi, Statement

# Of several runs of a job the last one counts. A job that is disabled waits for nothing.
RECORD = Statement(
    """INSERT INTO @extschema@.finished_dependency (job_id, after_job_id, jl_id, fulfilled, state)
       SELECT j.job_id, e.job_id, e.jl_id, @internal@.is_fulfilled(j.run_when, e.state), e.state
       FROM unnest($1, $2, $3, $4) e (job_id, jl_id, state, rolname)
       JOIN ONLY @extschema@.job j ON j.run_after @> ARRAY[e.job_id] AND j.enabled
       WHERE NOT EXISTS (SELECT FROM @extschema@.job_state s WHERE s.job_id = j.job_id AND s.disabled_at IS NOT NULL)
           -- The right may have been taken away since run_after was set.
           AND @internal@.may_follow(j.defined_by, e.rolname)
       ON CONFLICT (job_id, after_job_id) DO UPDATE
           SET jl_id = excluded.jl_id, fulfilled = excluded.fulfilled, state = excluded.state
       RETURNING job_id""",
    *("int8[]", "int8[]", "text[]", "name[]"),
)


def record(spi: Spi, runs: Sequence[EndedRun]) -> list[int]:
    """Note how runs, one of each job, have ended; returns the jobs that wait for them."""
    ended = [(run.job_id, run.jl_id, run.state, run.rolname) for run in runs]
    return [row["job_id"] for row in spi.execute(RECORD, *(list(column) for column in zip(*ended)))]


# A run that waits to be started follows what ends meanwhile, too: at most one waits for each job.
ENQUEUE_READY = Statement(
    """WITH ready AS (
           SELECT j.job_id, array_agg(d.jl_id) AS jl_ids
           FROM ONLY @extschema@.job j
           JOIN @extschema@.finished_dependency d ON d.job_id = j.job_id AND d.after_job_id = ANY (j.run_after)
           WHERE j.job_id = ANY ($1) AND j.enabled
             AND NOT EXISTS (SELECT FROM @extschema@.job_state s
                             WHERE s.job_id = j.job_id AND s.disabled_at IS NOT NULL)
             AND NOT EXISTS (SELECT FROM unnest(j.run_after) a (job_id)
                             WHERE NOT EXISTS (SELECT FROM ONLY @extschema@.job p WHERE p.job_id = a.job_id))
           GROUP BY j.job_id
           HAVING bool_and(coalesce(@internal@.is_fulfilled(j.run_when, d.state), d.fulfilled))
              AND count(*) = cardinality(j.run_after)),
       begun AS (DELETE FROM @extschema@.finished_dependency d USING ready r WHERE d.job_id = r.job_id)
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
                         WHERE j.job_id = d.job_id AND d.after_job_id = ANY (j.run_after) AND j.enabled)""",
    "int8[]",
)


def forget_others(spi: Spi, job_ids: Sequence[int]) -> None:
    """Forget what these jobs no longer wait for; those that are disabled wait for nothing."""
    spi.execute(FORGET_OTHERS, job_ids)


FORGET_ENDED = Statement(
    """DELETE FROM @extschema@.finished_dependency d USING unnest($1, $2) b (job_id, moment)
       WHERE d.job_id = b.job_id AND d.job_id = ANY ($1)
         AND NOT EXISTS (SELECT FROM @extschema@.job_log l
                         WHERE l.jl_id = d.jl_id AND l.job_finished > to_timestamp(b.moment))""",
    *("int8[]", "float8[]"),
)


def forget_ended(spi: Spi, before: Mapping[int, float]) -> None:
    """Forget what has ended before these moments that these jobs waited for."""
    spi.execute(FORGET_ENDED, list(before), list(before.values()))
