CREATE VIEW @extschema@.problem WITH (security_barrier) AS
WITH condition AS MATERIALIZED (
    SELECT CASE WHEN c.code = 'paused' THEN 'paused'
                WHEN c.code IN ('earlier version', 'synchronous standby', 'lock', 'owner', 'disk full', 'failing', 'halted', 'stalled') THEN 'worker stuck'
                ELSE 'worker off' END AS problem,
           CASE WHEN c.code = 'paused' THEN (SELECT s.paused_since FROM @extschema@.worker_setting s)
                WHEN c.code IN ('stopped', 'leaving') THEN (SELECT w.stopped_at FROM @extschema@.worker_state w) END AS since,
           c.reason AS what, r.remedy
    FROM @extschema@.worker_condition() c
    CROSS JOIN @extschema@.worker_remedy(c.code, c.blockers) r
    -- A standby that is ready for its promotion is as it should be, and so is a worker that another one follows.
    WHERE c.code IS NOT NULL AND r.state <> 'ok')
SELECT c.problem, date_trunc('second', c.since) AS since, CAST(NULL AS bigint) AS job_id, CAST(NULL AS text) AS job,
       CAST(NULL AS name) AS rolname, CAST(NULL AS name) AS datname, c.what, c.remedy
FROM condition c
UNION ALL
SELECT j.problem, date_trunc('second', j.since), j.job_id, j.job, j.rolname, j.datname, j.what, j.remedy
FROM (SELECT p.* FROM @extschema@.job_problems() p
      -- One row says it of all jobs, if nothing is started.
      WHERE p.problem <> 'late' OR NOT EXISTS (SELECT FROM condition)
      ORDER BY p.rank, p.since) j;

COMMENT ON VIEW @extschema@.problem IS
    'a row for everything that needs a person now, of the worker and of the jobs that the current role may see, the gravest first; empty while all is well';
COMMENT ON COLUMN @extschema@.problem.problem IS
    'worker off; worker stuck; paused; quarantined; disabled: by disable_after; overdue: no success within expect_success_within; failing: the last run failed; late: it should have started more than 5 seconds ago; missed: its last due time passed without a run; overrun: the active run takes longer than usual; skipping: 5 or more of the last 10 runs were skipped';
COMMENT ON COLUMN @extschema@.problem.since IS 'since when; NULL: not known';
COMMENT ON COLUMN @extschema@.problem.job_id IS 'the job; NULL: it concerns all jobs';
COMMENT ON COLUMN @extschema@.problem.job IS 'its name; without one, the beginning of its description or command';
COMMENT ON COLUMN @extschema@.problem.what IS 'what is wrong, in words; an error as the server reported it';
COMMENT ON COLUMN @extschema@.problem.remedy IS 'what to do: a statement to begin with, or a hint';
GRANT SELECT ON @extschema@.problem TO job_scheduler, job_monitor;
