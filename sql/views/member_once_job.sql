-- The door for run_once(): what it puts here is checked as a job's definition is.
CREATE VIEW @internal@.member_once_job WITH (security_barrier) AS
SELECT o.job_id,
       o.datname,
       o.rolname,
       o.job_command,
       o.job_timeout,
       o.settings,
       o.parameters,
       o.server
FROM @extschema@.once_job o
-- See all_job.
WHERE (SELECT @extschema@.is_superuser())
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), o.rolname) IS NOT NULL
WITH CASCADED CHECK OPTION;

COMMENT ON VIEW @extschema@.member_once_job IS
    'runs requested by run_once() that have not started, for all roles that the current role is a member of';
GRANT SELECT, INSERT (datname, rolname, job_command, job_timeout, settings, parameters, server)
    ON @extschema@.member_once_job TO job_scheduler;
