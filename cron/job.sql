CREATE VIEW cron.job WITH (security_barrier) AS
SELECT j.job_id AS jobid,
       j.schedule,
       j.job_command AS command,
       coalesce(j.server::text, 'localhost') AS nodename,
       current_setting('port')::integer AS nodeport,
       j.datname::text AS database,
       j.rolname::text AS username,
       j.enabled AS active,
       j.job_name AS jobname
FROM @scheduler@.member_job j
WHERE j.part = 'pg_cron' AND (j.rolname = current_user OR (SELECT @scheduler@.is_superuser()));
ALTER VIEW cron.job OWNER TO job_view_owner; -- DELETE may be granted: see view_owner.sql of elephant_worker

ALTER VIEW cron.job ALTER COLUMN nodename SET DEFAULT 'localhost';
ALTER VIEW cron.job ALTER COLUMN nodeport SET DEFAULT current_setting('port')::integer;
ALTER VIEW cron.job ALTER COLUMN database SET DEFAULT current_database();
ALTER VIEW cron.job ALTER COLUMN username SET DEFAULT current_user;
ALTER VIEW cron.job ALTER COLUMN active SET DEFAULT true;

COMMENT ON VIEW cron.job IS
    'the jobs of the current role that were defined by cron.schedule() or come from pg_cron; for superusers those of all roles';
COMMENT ON COLUMN cron.job.jobid IS 'the job_id of elephant_worker';
COMMENT ON COLUMN cron.job.schedule IS 'when to run';
COMMENT ON COLUMN cron.job.command IS 'what to run';
COMMENT ON COLUMN cron.job.nodename IS 'localhost, or the foreign server to run on';
COMMENT ON COLUMN cron.job.nodeport IS 'the port of this server';
COMMENT ON COLUMN cron.job.database IS 'the database to run in';
COMMENT ON COLUMN cron.job.username IS 'the role to run as';
COMMENT ON COLUMN cron.job.active IS 'whether the schedule is followed';
COMMENT ON COLUMN cron.job.jobname IS 'the name of the job, unique per role';
GRANT SELECT ON cron.job TO job_scheduler;
