CREATE VIEW @extschema@.job_overview WITH (security_barrier) AS
SELECT j.job_id,
       @extschema@.abbreviate(CASE WHEN j.rolname <> current_user THEN j.rolname || '.' ELSE '' END
                             || coalesce(j.job_name, j.job_description, j.job_command), 22) AS job,
       @extschema@.abbreviate(j.datname, 10) AS datname,
       @extschema@.abbreviate(j.schedule, 14) AS schedule,
       CASE WHEN EXISTS (SELECT FROM @extschema@.job_log l
                         WHERE l.job_id = j.job_id AND l.state = 'running'
                           AND l.jl_id >= (SELECT w.lowest_open_run FROM @extschema@.worker_state w)) THEN 'running'
            WHEN NOT j.enabled THEN 'not enabled'
            WHEN j.quarantined_reason IS NOT NULL THEN 'quarantined'
            WHEN j.disabled_at IS NOT NULL THEN 'disabled'
            WHEN least(j.next_run_at, j.retry_at) < clock_timestamp() - interval '5 seconds' THEN 'late'
            WHEN j.retry_at IS NOT NULL THEN 'to retry'
            ELSE coalesce((SELECT s.last_states[1] FROM @extschema@.job_statistic s WHERE s.job_id = j.job_id), 'new')
            END AS status,
       j.failure_count AS fails,
       to_char(j.last_executed, 'MM-DD HH24:MI:SS') AS last_run,
       to_char(least(j.next_run_at, j.retry_at), 'MM-DD HH24:MI:SS') AS next_run
FROM @extschema@.member_job j
ORDER BY j.job_id;

COMMENT ON VIEW @extschema@.job_overview IS
    'the jobs of all roles that the current role is a member of, on a line each: the columns of every day, shortened';
COMMENT ON COLUMN @extschema@.job_overview.job IS
    'its name, else its description, else its command; with the role, where that is another';
COMMENT ON COLUMN @extschema@.job_overview.status IS
    'running; not enabled; quarantined: its role, database or a right is missing; disabled: by disable_after; late: it should have started more than 5 seconds ago; to retry; else the result of the last run, or new';
COMMENT ON COLUMN @extschema@.job_overview.fails IS 'number of failed runs since the last success';
COMMENT ON COLUMN @extschema@.job_overview.last_run IS 'when the last run started, in the time zone of the session';
COMMENT ON COLUMN @extschema@.job_overview.next_run IS 'when it is next due or retried';
GRANT SELECT ON @extschema@.job_overview TO job_scheduler;
