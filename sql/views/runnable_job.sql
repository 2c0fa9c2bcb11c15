-- What the worker needs to start a run, and to see why it cannot.
CREATE VIEW @extschema@.runnable_job AS
SELECT j.job_id,
       extract(epoch FROM j.schedule_set_at)::float8 AS schedule_set_at,
       j.enabled,
       j.schedule,
       j.timezone,
       j.dst,
       extract(epoch FROM j.starts_at)::float8 AS starts_at,
       extract(epoch FROM j.ends_at)::float8 AS ends_at,
       j.catch_up,
       j.catch_up_limit,
       extract(epoch FROM j.start_deadline)::float8 AS start_deadline,
       j.parallel,
       j.job_command,
       extract(epoch FROM j.job_timeout)::float8 AS job_timeout,
       j.rolname,
       r.oid AS role_oid,
       j.datname,
       d.oid AS database_oid
FROM @extschema@.job j
LEFT JOIN pg_roles r ON r.rolname = j.rolname
LEFT JOIN pg_database d ON d.datname = j.datname;

COMMENT ON VIEW @extschema@.runnable_job IS 'the jobs as the worker reads them';
