CREATE VIEW @internal@.visible_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job;

COMMENT ON VIEW @extschema@.visible_job IS
    'the jobs that the current role may see: those of all roles that it is a member of; for job_monitor all jobs';
GRANT SELECT ON @extschema@.visible_job TO job_scheduler, job_monitor;
