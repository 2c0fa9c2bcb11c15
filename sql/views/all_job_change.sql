CREATE VIEW @extschema@.all_job_change WITH (security_barrier) AS
SELECT c.job_id,
       c.job_name,
       c.version,
       c.rolname,
       c.changed_at,
       c.changed_by,
       c.session_role,
       c.call,
       c.action,
       c.old_values,
       c.new_values
FROM @extschema@.job_change c
-- See all_job.
WHERE (SELECT pg_has_role('job_monitor', 'USAGE'))
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), c.rolname) IS NOT NULL;

COMMENT ON VIEW @extschema@.all_job_change IS
    'the changes of all jobs for job_monitor; for others, of those of the roles that the current role is a member of';
GRANT SELECT ON @extschema@.all_job_change TO job_monitor;
