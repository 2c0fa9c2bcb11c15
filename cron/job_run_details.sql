-- Apart from the view below: who may delete through a view may lock all that its owner may lock.
CREATE VIEW cron.shown_run WITH (security_barrier) AS
SELECT l.job_id AS jobid,
       l.jl_id AS runid,
       NULL::integer AS job_pid,
       l.datname::text AS database,
       l.rolname::text AS username,
       l.job_command AS command,
       CASE WHEN l.state IN ('running', 'succeeded') THEN l.state ELSE 'failed' END AS status,
       CASE WHEN l.state = 'running' THEN NULL
            WHEN l.state <> 'succeeded' THEN concat_ws(
                E'\n', 'ERROR:  ' || l.exception_message, 'DETAIL:  ' || l.exception_detail, 'HINT:  ' || l.exception_hint,
                'CONTEXT:  ' || l.exception_context, '')
            WHEN l.command_tag LIKE 'SELECT %' THEN format('%s row%s', l.row_count, CASE WHEN l.row_count <> 1 THEN 's' END)
            ELSE l.command_tag END AS return_message,
       l.job_started AS start_time,
       l.job_finished AS end_time
FROM @scheduler@.member_job_log l
-- Those of jobs that have been deleted as well.
WHERE (EXISTS (SELECT FROM @scheduler@.job j WHERE j.job_id = l.job_id AND j.part = 'pg_cron')
       OR EXISTS (SELECT FROM @scheduler@.job_change c WHERE c.job_id = l.job_id AND c.action = 'delete'
                                                         AND c.old_values ->> 'part' = 'pg_cron'))
  AND l.state NOT IN ('skipped', 'missed') AND l.cause <> 'trial'
  AND (l.rolname = current_user OR (SELECT @scheduler@.is_superuser()));

COMMENT ON VIEW cron.shown_run IS 'the runs in cron.job_run_details';
GRANT SELECT ON cron.shown_run TO job_scheduler, job_view_owner;

CREATE VIEW cron.job_run_details WITH (security_barrier) AS
SELECT * FROM cron.shown_run;
ALTER VIEW cron.job_run_details OWNER TO job_view_owner; -- see view_owner.sql of elephant_worker

COMMENT ON VIEW cron.job_run_details IS
    'the runs of the jobs in cron.job, also of those that have been deleted, as long as they are in the log of elephant_worker';
COMMENT ON COLUMN cron.job_run_details.jobid IS 'the job';
COMMENT ON COLUMN cron.job_run_details.runid IS 'the run';
COMMENT ON COLUMN cron.job_run_details.job_pid IS 'NULL: the log does not have it';
COMMENT ON COLUMN cron.job_run_details.database IS 'the database of the run';
COMMENT ON COLUMN cron.job_run_details.username IS 'the role of the run';
COMMENT ON COLUMN cron.job_run_details.command IS 'the command that was run';
COMMENT ON COLUMN cron.job_run_details.status IS 'running, succeeded or failed';
COMMENT ON COLUMN cron.job_run_details.return_message IS 'the command tag, the number of rows of a query, or the error';
COMMENT ON COLUMN cron.job_run_details.start_time IS 'when the command was sent';
COMMENT ON COLUMN cron.job_run_details.end_time IS 'when it ended';
GRANT SELECT, DELETE ON cron.job_run_details TO job_scheduler;

DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('COMMENT ON COLUMN cron.shown_run.%I IS %L', a.attname, col_description(a.attrelid, a.attnum))
        FROM pg_attribute a WHERE a.attrelid = 'cron.job_run_details'::regclass AND a.attnum > 0
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
