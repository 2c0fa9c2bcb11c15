CREATE VIEW @extschema@.member_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job j
WHERE j.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT @extschema@.is_superuser())
WITH CASCADED CHECK OPTION;
ALTER VIEW @extschema@.member_job OWNER TO job_view_owner; -- see view_owner.sql

COMMENT ON VIEW @extschema@.member_job IS
    'the jobs of all roles that the current role is a member of; INSERT, UPDATE and DELETE define, change and delete jobs';
GRANT SELECT, DELETE ON @extschema@.member_job TO job_scheduler;
GRANT INSERT (datname, rolname, schedule, enabled, job_command, job_description, job_timeout, parallel, timezone, dst,
              starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
              max_retry_delay, retry_on, disable_after, settings, parameters, run_after, run_when, on_failure_command,
              expect_success_within, server),
      UPDATE (datname, rolname, schedule, enabled, job_command, job_description, job_timeout, parallel, timezone, dst,
              starts_at, ends_at, catch_up, catch_up_limit, start_deadline, job_name, max_retries, retry_delay,
              max_retry_delay, retry_on, disable_after, defined_by, settings, parameters, run_after, run_when,
              on_failure_command, expect_success_within, server)
    ON @extschema@.member_job TO job_scheduler;
