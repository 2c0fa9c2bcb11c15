CREATE VIEW @extschema@.my_job_log WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job_log l
WHERE l.rolname = current_user;

COMMENT ON VIEW @extschema@.my_job_log IS 'the runs of the current role';
GRANT SELECT ON @extschema@.my_job_log TO job_scheduler;
