CREATE VIEW @internal@.visible_job_log WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job_log;

COMMENT ON VIEW @extschema@.visible_job_log IS
    'the runs that the current role may see: those of all roles that it is a member of; for job_monitor all runs';
GRANT SELECT ON @extschema@.visible_job_log TO job_scheduler, job_monitor;
