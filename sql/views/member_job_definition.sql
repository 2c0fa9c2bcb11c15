-- See my_job_definition.
CREATE VIEW @extschema@.member_job_definition WITH (security_barrier) AS
SELECT j.job_id,
       @attributes: j.{name}{,}@
FROM @extschema@.member_job j
WITH CASCADED CHECK OPTION;
ALTER VIEW @extschema@.member_job_definition OWNER TO job_view_owner; -- see view_owner.sql

COMMENT ON VIEW @extschema@.member_job_definition IS
    'the jobs of all roles that the current role is a member of, with nothing but what can be set and job_id: for ORMs; INSERT, UPDATE and DELETE as on member_job';
GRANT SELECT, DELETE,
      INSERT (
          job_id, @attributes: {name}{,}@),
      UPDATE (
          @attributes: {name}{,}@)
    ON @extschema@.member_job_definition TO job_scheduler;
