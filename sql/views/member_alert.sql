CREATE VIEW @extschema@.member_alert WITH (security_barrier) AS
SELECT * FROM @extschema@.all_alert a
-- What is below shows job_monitor more than that.
WHERE NOT (SELECT @extschema@.is_only_monitor())
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), a.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.member_alert IS
    'the alerts about jobs and runs of all roles that the current role is a member of';
COMMENT ON COLUMN @extschema@.member_alert.muted IS 'see all_alert';
GRANT SELECT ON @extschema@.member_alert TO job_scheduler;
