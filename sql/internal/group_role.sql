CREATE FUNCTION @internal@.group_role(wanted name) RETURNS oid
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A role that has been renamed is known by what the script of the extension has given it.
    RETURN coalesce(
        to_regrole(wanted::text)::oid,
        (SELECT c.relowner FROM pg_class c WHERE c.oid = '@extschema@.my_job'::regclass AND wanted = 'job_view_owner'),
        (SELECT x.grantee
         FROM (VALUES ('job_scheduler', '@extschema@.find_job(text)'), ('job_monitor', '@extschema@.check_setup()')) m (name, function)
         JOIN pg_init_privs p ON p.objoid = m.function::regprocedure AND p.classoid = 'pg_proc'::regclass
         CROSS JOIN LATERAL aclexplode(p.initprivs) x
         JOIN pg_roles r ON r.oid = x.grantee
         WHERE m.name = wanted AND x.grantee <> x.grantor LIMIT 1));
END
$$;
COMMENT ON FUNCTION @extschema@.group_role(name) IS
    'job_scheduler, job_monitor or job_view_owner, also if it has been renamed; NULL: it has been dropped';
REVOKE ALL ON FUNCTION @extschema@.group_role(name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.group_role(name) TO job_scheduler, job_monitor;
