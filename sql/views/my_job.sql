CREATE VIEW @extschema@.my_job WITH (security_barrier) AS
SELECT * FROM @extschema@.all_job j
WHERE j.rolname = current_user
WITH CASCADED CHECK OPTION;
ALTER VIEW @extschema@.my_job OWNER TO job_view_owner; -- see view_owner.sql

COMMENT ON VIEW @extschema@.my_job IS
    'the jobs of the current role; INSERT, UPDATE and DELETE define, change and delete jobs';
GRANT SELECT, DELETE ON @extschema@.my_job TO job_scheduler;
GRANT INSERT (
          @attributes: {name}{,}@),
      UPDATE (
          @attributes: {name}{,}@,
          defined_by)
    ON @extschema@.my_job TO job_scheduler;
