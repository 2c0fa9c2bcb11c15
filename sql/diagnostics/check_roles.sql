CREATE FUNCTION @internal@.check_roles() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    all_there boolean;
BEGIN
    RETURN QUERY
    SELECT 'roles', CASE WHEN r.oid IS NULL THEN 'error' ELSE 'warning' END,
           CASE WHEN r.oid IS NULL
                THEN format('role "%s" has been dropped, and its rights on the extension with it', w.name)
                ELSE format('role "%s" was %s: views, functions and updates of the extension ask for it by this name',
                            r.rolname, w.name) END,
           CASE WHEN r.oid IS NULL THEN '-- dump this database and restore it into a new one, where the extension creates the role again'
                ELSE format('ALTER ROLE %s RENAME TO %I;', @extschema@.quote_ident_in_one_line(r.rolname::text), w.name) END
    FROM unnest(ARRAY['job_scheduler', 'job_monitor', 'job_view_owner']::name[]) w (name)
    LEFT JOIN pg_roles r ON r.oid = @extschema@.group_role(w.name)
    WHERE to_regrole(w.name::text) IS NULL;
    all_there := NOT FOUND;
    -- Since the extension was created: CREATE EXTENSION refuses such a schema.
    RETURN QUERY
    WITH schema AS (
        SELECT n.nspacl, n.nspowner, o.rolname AS extension_owner,
               CASE WHEN n.nspowner = 'pg_database_owner'::regrole THEN d.datdba ELSE n.nspowner END AS owner
        FROM pg_namespace n
        JOIN pg_extension e ON e.extname = 'elephant_worker' AND e.extnamespace = n.oid
        JOIN pg_roles o ON o.oid = e.extowner
        JOIN pg_database d ON d.datname = current_database()),
    may_create AS (
        SELECT format('role "%s" owns the schema of the extension, and can have others call its functions', r.rolname) AS found,
               format('ALTER SCHEMA @extschema@ OWNER TO %s;', @extschema@.quote_ident_in_one_line(s.extension_owner::text)) AS remedy
        FROM schema s JOIN pg_roles r ON r.oid = s.owner AND NOT r.rolsuper
        UNION ALL
        SELECT format('%s may create functions in the schema of the extension, and have others call them',
                      coalesce(format('role "%s"', r.rolname), 'everybody')),
               format('REVOKE CREATE ON SCHEMA @extschema@ FROM %s;', coalesce(@extschema@.quote_ident_in_one_line(r.rolname::text), 'PUBLIC'))
        FROM schema s CROSS JOIN aclexplode(s.nspacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE a.privilege_type = 'CREATE' AND a.grantee <> s.nspowner AND r.rolsuper IS NOT TRUE)
    SELECT 'roles', 'error', m.found, m.remedy FROM may_create m;
    IF all_there AND NOT FOUND THEN
        RETURN QUERY VALUES ('roles', 'ok', 'job_scheduler, job_monitor and job_view_owner are there', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_roles() IS
    'for check_setup(): whether the roles of the extension have the names that they were created with, and no other may create objects in its schema';
REVOKE ALL ON FUNCTION @extschema@.check_roles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_roles() TO job_monitor;
