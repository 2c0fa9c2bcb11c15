CREATE VIEW @extschema@.job_overview WITH (security_barrier) AS
SELECT j.job_id,
       @extschema@.job_label(j.job_name, j.job_description, j.job_command) AS job,
       j.rolname,
       j.datname,
       CASE WHEN EXISTS (SELECT FROM @extschema@.job_log l
                         WHERE l.job_id = j.job_id AND l.state = 'running'
                           AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)) THEN 'running'
            WHEN NOT j.enabled THEN 'not enabled'
            WHEN j.quarantined_reason IS NOT NULL THEN 'quarantined'
            WHEN j.retry_at IS NOT NULL THEN 'to retry'
            ELSE coalesce((SELECT s.last_states[1] FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id), 'new')
            END AS status,
       @extschema@.brief_time(j.last_executed) AS last_run,
       @extschema@.brief_time(least(j.next_run_at, j.retry_at)) AS next_run,
       p.problem
FROM @extschema@.visible_job j
LEFT JOIN (SELECT DISTINCT ON (q.job_id) q.job_id, q.problem, q.rank FROM @extschema@.job_problems() q
           ORDER BY q.job_id, q.rank) p ON p.job_id = j.job_id
ORDER BY p.rank, j.rolname, 2, j.job_id;

COMMENT ON VIEW @extschema@.job_overview IS
    'the jobs that the current role may see, on a line each, those with a problem first: the columns of every day';
COMMENT ON COLUMN @extschema@.job_overview.job IS
    'its name; without one, the beginning of its description or command';
COMMENT ON COLUMN @extschema@.job_overview.status IS
    'running; not enabled; quarantined; to retry; else the result of the last run, or new';
COMMENT ON COLUMN @extschema@.job_overview.last_run IS 'when the last run started; see next_run';
COMMENT ON COLUMN @extschema@.job_overview.next_run IS
    'when it is next due or retried, in the time zone of the session: the time of today, the weekday and time of the six days before and after, otherwise the date';
COMMENT ON COLUMN @extschema@.job_overview.problem IS 'the gravest problem of the job, if there is one; see the view problem';
GRANT SELECT ON @extschema@.job_overview TO job_scheduler, job_monitor;
