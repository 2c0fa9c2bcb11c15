CREATE VIEW @extschema@.recent_runs WITH (security_barrier) AS
SELECT l.jl_id,
       @extschema@.abbreviate(CASE WHEN l.rolname <> current_user THEN l.rolname || '.' ELSE '' END
                             || coalesce((SELECT j.job_name FROM ONLY @extschema@.job j WHERE j.job_id = l.job_id),
                                         l.job_command), 22) AS job,
       l.state,
       to_char(coalesce(l.job_started, l.scheduled_at), 'MM-DD HH24:MI:SS') AS started,
       CAST(justify_interval(date_trunc('milliseconds', coalesce(l.job_finished, clock_timestamp()) - l.job_started))
            AS interval(3)) AS took,
       l.row_count AS rows,
       @extschema@.abbreviate(l.exception_message, 28) AS message
FROM @extschema@.member_job_log l
-- Not the whole log, where none of the latest runs is one's own.
WHERE l.jl_id > (SELECT max(n.jl_id) - 100000 FROM @extschema@.job_log n)
ORDER BY l.jl_id DESC
LIMIT 20;

COMMENT ON VIEW @extschema@.recent_runs IS
    'the last 20 runs of all roles that the current role is a member of, of the last 100 000 of all, the latest first: the columns of every day, shortened';
COMMENT ON COLUMN @extschema@.recent_runs.job IS 'the name of the job, else the command; with the role, where that is another';
COMMENT ON COLUMN @extschema@.recent_runs.started IS 'when it started or was due, in the time zone of the session';
COMMENT ON COLUMN @extschema@.recent_runs.took IS 'how long it took, or has taken so far';
COMMENT ON COLUMN @extschema@.recent_runs.rows IS 'rows that the last statement returned or changed';
COMMENT ON COLUMN @extschema@.recent_runs.message IS 'the error, or why the run did not start';
GRANT SELECT ON @extschema@.recent_runs TO job_scheduler;
