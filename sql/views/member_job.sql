CREATE VIEW @extschema@.member_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job j
WHERE j.rolname = ANY ((SELECT @extschema@.permitted_roles())::name[])
   OR (SELECT @extschema@.is_superuser())
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
