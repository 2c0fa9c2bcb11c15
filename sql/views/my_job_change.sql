CREATE VIEW @extschema@.my_job_change WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job_change c
WHERE c.rolname = current_user;

COMMENT ON VIEW @extschema@.my_job_change IS 'the changes of the jobs of the current role';
GRANT SELECT ON @extschema@.my_job_change TO job_scheduler;
