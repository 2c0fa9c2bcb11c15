CREATE FUNCTION @extschema@.may_act_as(role oid) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Since PostgreSQL 16 a membership can come without the right to SET ROLE.
    SELECT pg_has_role(role, CASE WHEN current_setting('server_version_num')::integer >= 160000
                                  THEN 'SET' ELSE 'MEMBER' END);
$$;
COMMENT ON FUNCTION @extschema@.may_act_as(oid) IS
    'whether the current role could SET ROLE to this one, and so may define jobs for it';
REVOKE ALL ON FUNCTION @extschema@.may_act_as(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.may_act_as(oid) TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.permitted_roles() RETURNS name[]
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(r.rolname) FROM pg_roles r WHERE @extschema@.may_act_as(r.oid);
$$;
COMMENT ON FUNCTION @extschema@.permitted_roles() IS 'the roles that the current role may define jobs for';
REVOKE ALL ON FUNCTION @extschema@.permitted_roles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.permitted_roles() TO job_scheduler, job_monitor;

CREATE FUNCTION @extschema@.is_superuser() RETURNS boolean
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user;
$$;
COMMENT ON FUNCTION @extschema@.is_superuser() IS
    'whether the current role is a superuser, who also sees the jobs of roles that are gone';
REVOKE ALL ON FUNCTION @extschema@.is_superuser() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_superuser() TO job_scheduler, job_monitor;
