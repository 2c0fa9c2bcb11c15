-- For programs that name all columns of what they write to: each of these can be set, or left to its default. So no
-- column may be an expression, which a view with INSTEAD OF triggers could have, but then not ON CONFLICT; see
-- docs/decisions/0043.
CREATE VIEW @extschema@.member_job_definition WITH (security_barrier) AS
SELECT j.job_id,
       @attributes: j.{name}{,}@
FROM @extschema@.member_job j
WITH CASCADED CHECK OPTION;
ALTER VIEW @extschema@.member_job_definition OWNER TO job_view_owner; -- see view_owner.sql

COMMENT ON VIEW @extschema@.member_job_definition IS
    'the jobs of all roles that the current role is a member of, with nothing but what can be set and job_id: for ORMs; INSERT, UPDATE and DELETE as on member_job';
-- job_id: as DEFAULT; authorize_write() lets nobody choose it.
GRANT SELECT, DELETE,
      INSERT (
          job_id, @attributes: {name}{,}@),
      UPDATE (
          @attributes: {name}{,}@)
    ON @extschema@.member_job_definition TO job_scheduler;
