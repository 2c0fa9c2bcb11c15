"""The table once_job: what is run once, for no job of its own."""

from __future__ import annotations

from ..jobs.run import EndedRun
from .spi import Spi, Statement

# With the schedule_set_at of the job: its on_failure_command was checked when the job was. Who is given a job is
# not told what the runs of its earlier role said, which the log does not show either.
ENQUEUE_ON_FAILURE = Statement(
    """WITH made AS (
           INSERT INTO @extschema@.once_job (datname, server, rolname, job_command, job_timeout, settings, defined_by,
                                             schedule_set_at, database_oid, database_owner, server_oid)
           SELECT j.datname, j.server, j.rolname, j.on_failure_command, j.job_timeout,
                  coalesce(j.settings, '{}') || jsonb_build_object(
                      'elephant_worker.failed_job', j.job_id::text, 'elephant_worker.failed_run', $2::text,
                      'elephant_worker.failed_sqlstate', CASE WHEN f.may_read THEN $3 ELSE '' END,
                      'elephant_worker.failed_message', CASE WHEN f.may_read THEN left($4, 2000)
                                                        ELSE 'the run failed as the job of another role' END),
                  j.defined_by, j.schedule_set_at, j.database_oid, j.database_owner, j.server_oid
           FROM ONLY @extschema@.job j
           CROSS JOIN LATERAL (SELECT @internal@.may_follow(j.rolname, $5) AS may_read) f
           WHERE j.job_id = $1 RETURNING job_id)
       INSERT INTO @extschema@.worker_request (kind, cause, job_id, caused_by)
       SELECT 'run', 'failure', m.job_id, $2 FROM made m""",
    *("int8", "int8", "text", "text", "name"),
)


def enqueue_on_failure_command(spi: Spi, run: EndedRun) -> None:
    """Ask for a run of what the job of a failed run has as on_failure_command."""
    spi.execute(ENQUEUE_ON_FAILURE, run.job_id, run.jl_id, run.sqlstate, run.message or "", run.rolname)
