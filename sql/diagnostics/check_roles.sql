CREATE FUNCTION @internal@.check_roles() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'roles', CASE WHEN r.oid IS NULL THEN 'error' ELSE 'warning' END,
           CASE WHEN r.oid IS NULL
                THEN format('role "%s" has been dropped, and its rights on the extension with it', w.name)
                ELSE format('role "%s" was %s: views, functions and updates of the extension ask for it by this name',
                            r.rolname, w.name) END,
           -- A dump also has that rights were taken away, in the words of PostgreSQL 15 from a role with a number for a name.
           CASE WHEN r.oid IS NULL
                THEN E'-- dump this database and restore it into a new one by pg_restore --no-privileges: there the extension creates the role again, with its rights\n-- then grant the role, and whatever else had been granted in this database'
                ELSE format('ALTER ROLE %s RENAME TO %I;', @extschema@.quote_ident_in_one_line(r.rolname::text), w.name) END
    FROM unnest(ARRAY['job_scheduler', 'job_monitor', 'job_view_owner']::name[]) w (name)
    LEFT JOIN pg_roles r ON r.oid = @extschema@.group_role(w.name)
    WHERE to_regrole(w.name::text) IS NULL;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('roles', 'ok', 'job_scheduler, job_monitor and job_view_owner are there', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_roles() IS
    'for check_setup(): whether the roles of the extension have the names that they were created with';
REVOKE ALL ON FUNCTION @extschema@.check_roles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_roles() TO job_monitor;
