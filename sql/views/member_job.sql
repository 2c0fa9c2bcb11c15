CREATE VIEW @extschema@.member_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job j
-- What is below shows job_monitor more than that.
WHERE NOT (SELECT @extschema@.is_only_monitor())
   OR @extschema@.position_of_role((SELECT @extschema@.permitted_roles()), j.rolname) IS NOT NULL
WITH CASCADED CHECK OPTION;
ALTER VIEW @extschema@.member_job OWNER TO job_view_owner; -- see view_owner.sql

COMMENT ON VIEW @extschema@.member_job IS
    'the jobs of all roles that the current role is a member of; INSERT, UPDATE and DELETE define, change and delete jobs';
GRANT SELECT, DELETE ON @extschema@.member_job TO job_scheduler;
GRANT INSERT (
          @attributes: {name}{,}@),
      UPDATE (
          @attributes: {name}{,}@,
          defined_by)
    ON @extschema@.member_job TO job_scheduler;
