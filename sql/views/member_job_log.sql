CREATE VIEW @extschema@.member_job_log WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job_log l
WHERE l.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT @extschema@.is_superuser());

COMMENT ON VIEW @extschema@.member_job_log IS 'the runs of all roles that the current role is a member of';
GRANT SELECT ON @extschema@.member_job_log TO job_scheduler;
