-- What the worker needs to start a run, and to see why it cannot.
CREATE VIEW @extschema@.runnable_job AS
SELECT j.job_id,
       date_part('epoch', j.schedule_set_at) AS schedule_set_at,
       j.enabled,
       j.schedule,
       j.timezone,
       j.dst,
       date_part('epoch', j.starts_at) AS starts_at,
       date_part('epoch', j.ends_at) AS ends_at,
       j.catch_up,
       j.catch_up_limit,
       date_part('epoch', j.start_deadline) AS start_deadline,
       j.parallel,
       j.job_command,
       date_part('epoch', j.job_timeout) AS job_timeout,
       j.rolname,
       r.oid AS role_oid,
       j.datname,
       d.oid AS database_oid
FROM @extschema@.job j
LEFT JOIN pg_roles r ON r.rolname = j.rolname
LEFT JOIN pg_database d ON d.datname = j.datname;

COMMENT ON VIEW @extschema@.runnable_job IS 'the jobs as the worker reads them';
