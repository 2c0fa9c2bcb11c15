CREATE FUNCTION @internal@.check_schema() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- CREATE EXTENSION refuses such a schema; it may have become so since.
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
        WHERE a.privilege_type = 'CREATE' AND a.grantee <> s.nspowner AND r.rolsuper IS NOT TRUE
        UNION ALL
        -- What they have made while they could is preferred where its arguments suit better.
        SELECT format('the schema of the extension holds something that is of role "%s": a function can be called in place of the extension''s',
                      r.rolname),
               format(E'SELECT pg_catalog.pg_describe_object(%s, %s, 0);', o.classid, o.objid)
               || CASE WHEN i.identity !~ '[[:cntrl:]]' THEN format(E'\n-- if nobody needs it: DROP %s %s;', upper(i.type), i.identity) ELSE '' END
        FROM pg_depend d
        JOIN pg_extension e ON e.extname = 'elephant_worker' AND d.refobjid = e.extnamespace
        JOIN pg_shdepend o ON o.classid = d.classid AND o.objid = d.objid AND o.objsubid = 0 AND o.deptype = 'o'
                              AND o.refclassid = 'pg_authid'::regclass
                              AND o.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
        JOIN pg_roles r ON r.oid = o.refobjid AND NOT r.rolsuper
        CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
        WHERE d.refclassid = 'pg_namespace'::regclass AND d.deptype = 'n'
          AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.classid AND m.objid = d.objid AND m.deptype = 'e'))
    SELECT 'schema', 'error', m.found, m.remedy FROM may_create m;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('schema', 'ok', 'only superusers may create objects in the schema of the extension, and others have left none there', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_schema() IS
    'for check_setup(): whether others than superusers may create functions that are called in place of the extension''s';
REVOKE ALL ON FUNCTION @extschema@.check_schema() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_schema() TO job_monitor;
