CREATE FUNCTION @internal@.acting_privilege() RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
$$;
COMMENT ON FUNCTION @extschema@.acting_privilege() IS
    'the privilege to ask pg_has_role() for: since PostgreSQL 16 a member of a role may lack the right to SET ROLE to it';
REVOKE ALL ON FUNCTION @extschema@.acting_privilege() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.acting_privilege() TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.may_act_as(role oid) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_has_role(role, @extschema@.acting_privilege());
$$;
COMMENT ON FUNCTION @extschema@.may_act_as(oid) IS
    'whether the current role can SET ROLE to this one, and so can define jobs for it';
REVOKE ALL ON FUNCTION @extschema@.may_act_as(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.may_act_as(oid) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.permitted_roles() RETURNS name[]
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE -- keeps its plan, as a function in SQL does not before PostgreSQL 18
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    needed CONSTANT text := @extschema@.acting_privilege();
BEGIN
    RETURN ARRAY(SELECT r.rolname FROM pg_roles r
                 WHERE pg_has_role(r.oid, needed)
                   AND NOT EXISTS (SELECT FROM @extschema@.replaced_role x WHERE x.rolname = r.rolname));
END
$$;
COMMENT ON FUNCTION @extschema@.permitted_roles() IS 'the roles that the current role can define jobs for';
REVOKE ALL ON FUNCTION @extschema@.permitted_roles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.permitted_roles() TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.position_of_role(roles name[], role name) RETURNS integer
LANGUAGE internal IMMUTABLE SECURITY INVOKER PARALLEL SAFE NOT LEAKPROOF
COST 0.0001 -- less than what seems to be half a comparison: job_command = ANY (ARRAY['...']); see all_job
AS 'array_position';
COMMENT ON FUNCTION @extschema@.position_of_role(name[], name) IS
    'array_position() for the conditions of views, where it comes before all that compares';
REVOKE ALL ON FUNCTION @extschema@.position_of_role(name[], name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.position_of_role(name[], name) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.is_superuser() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN r.rolsuper FROM pg_roles r WHERE r.rolname = current_user;
END
$$;
COMMENT ON FUNCTION @extschema@.is_superuser() IS
    'whether the current role is a superuser, who also sees the jobs of roles that no longer exist';
REVOKE ALL ON FUNCTION @extschema@.is_superuser() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_superuser() TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.is_only_monitor() RETURNS boolean
LANGUAGE sql STABLE SECURITY INVOKER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_has_role('job_monitor', 'USAGE') AND NOT @extschema@.is_superuser();
$$;
COMMENT ON FUNCTION @extschema@.is_only_monitor() IS
    'whether the current role sees jobs that it may not touch';
REVOKE ALL ON FUNCTION @extschema@.is_only_monitor() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_only_monitor() TO job_scheduler, job_monitor;
