CREATE VIEW @extschema@.member_job_log WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job_log l
-- What is below shows job_monitor more than that.
WHERE NOT (SELECT @extschema@.is_only_monitor())
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), l.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.member_job_log IS 'the runs of all roles that the current role is a member of';
GRANT SELECT ON @extschema@.member_job_log TO job_scheduler;
