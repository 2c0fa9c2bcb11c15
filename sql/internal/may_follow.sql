CREATE FUNCTION @internal@.may_follow(defined_by name, rolname name) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_roles d, pg_roles r
        WHERE d.rolname = may_follow.defined_by AND r.rolname = may_follow.rolname
          AND pg_has_role(d.oid, r.oid, @extschema@.acting_privilege())
          AND NOT EXISTS (SELECT FROM @extschema@.replaced_role x WHERE x.rolname IN (d.rolname, r.rolname)));
END
$$;
COMMENT ON FUNCTION @extschema@.may_follow(name, name) IS
    'whether a job may run after those of a role: whether the role that answers for it could SET ROLE to that one';
REVOKE ALL ON FUNCTION @extschema@.may_follow(name, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.may_follow(name, name) TO job_scheduler, job_monitor;
