CREATE FUNCTION @internal@.out_of_the_way(role oid) RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- Nothing is granted to a role that somebody else may have made, and what it owns is nobody's to inherit: it goes,
    -- or steps aside with all that it has.
    SELECT CASE WHEN EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid)
                THEN format('ALTER ROLE %1$I NOLOGIN; ALTER ROLE %1$I RENAME TO %2$I;', r.rolname,
                            @extschema@.free_name('not_' || r.rolname, ARRAY(SELECT o.rolname FROM pg_roles o)))
                ELSE format('DROP ROLE %I;', r.rolname) END
    FROM pg_roles r WHERE r.oid = role;
$$;
COMMENT ON FUNCTION @extschema@.out_of_the_way(oid) IS
    'for check_runners(): how to get rid of a role that has the name of a runner, and be it that it owns something';
REVOKE ALL ON FUNCTION @extschema@.out_of_the_way(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.out_of_the_way(oid) TO job_monitor;

CREATE FUNCTION @internal@.check_runners() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    prefix CONSTANT text := format('elephant_worker_%s_', (SELECT d.oid FROM pg_database d
                                                           WHERE d.datname = current_database()));
    is_well boolean;
BEGIN
    -- As prepare_runner() has it: a member of its role, and nobody a member of it.
    RETURN QUERY
    SELECT 'runners', 'error',
           format('role "%s" is not what it should be: the runs of role "%s" are refused', r.rolname, o.rolname),
           @extschema@.out_of_the_way(r.oid)
    FROM pg_roles o
    JOIN pg_roles r ON r.rolname = prefix || o.oid
    WHERE EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid)
       OR NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid = o.oid)
    ORDER BY r.rolname;
    is_well := NOT FOUND;
    RETURN QUERY
    SELECT 'runners', 'warning',
           format('role "%s" has been made a member of role "%s" too: a line of pg_hba.conf for its members holds for the runs of role "%s"',
                  r.rolname, g.rolname, o.rolname),
           format('REVOKE %s FROM %I%s;', @extschema@.quote_ident_in_one_line(g.rolname), r.rolname,
                  CASE WHEN current_setting('server_version_num')::integer >= 160000
                       THEN ' GRANTED BY ' || @extschema@.quote_ident_in_one_line(b.rolname) END)
    FROM pg_roles o
    JOIN pg_roles r ON r.rolname = prefix || o.oid
    JOIN pg_auth_members m ON m.member = r.oid AND m.roleid <> o.oid
    JOIN pg_roles g ON g.oid = m.roleid
    LEFT JOIN pg_roles b ON b.oid = m.grantor
    ORDER BY r.rolname, g.rolname;
    is_well := is_well AND NOT FOUND;
    -- A run can SET ROLE NONE, and so leave behind what is its runner's. Who has come by the name of a runner is told of
    -- above, and gets nothing of a role by this. What is owned may be in a database whose owner has set its search_path:
    -- so all names and operators are qualified. REASSIGN OWNED leaves default privileges and user mappings.
    RETURN QUERY
    SELECT 'runners', 'warning',
           format('role "%s" owns %s %s%s: functions with the rights of their owner go on having those of role "%s", whoever has lost them since',
                  r.rolname, s.objects, CASE WHEN s.objects = 1 THEN 'object' ELSE 'objects' END,
                  CASE WHEN s.dbid <> 0 THEN format(' in database "%s"', d.datname) END, o.rolname),
           CASE WHEN d.datname <> current_database()
                THEN format(E'-- in database %s:\n', @extschema@.quote_ident_in_one_line(d.datname)) ELSE '' END
           || format('SELECT pg_catalog.pg_describe_object(classid, objid, objsubid) FROM pg_catalog.pg_shdepend '
                     'WHERE refclassid OPERATOR(pg_catalog.=) %s AND refobjid OPERATOR(pg_catalog.=) %s '
                     'AND dbid OPERATOR(pg_catalog.=) %s AND deptype OPERATOR(pg_catalog.=) ''o'';',
                     'pg_authid'::regclass::oid, r.oid, s.dbid)
           || format(E'\n-- to give all that to the role of its jobs: REASSIGN OWNED BY %1$s TO %2$s; DROP OWNED BY %1$s;',
                     @extschema@.quote_ident_in_one_line(r.rolname), @extschema@.quote_ident_in_one_line(o.rolname))
           || CASE WHEN s.dbid <> 0 THEN format(E'\n-- to drop it, with all data: DROP OWNED BY %s;',
                                                     @extschema@.quote_ident_in_one_line(r.rolname)) ELSE '' END
    FROM pg_roles o
    JOIN pg_roles r ON r.rolname = prefix || o.oid
    JOIN (SELECT p.refobjid, p.dbid, count(*) AS objects FROM pg_shdepend p
          WHERE p.refclassid = 'pg_authid'::regclass AND p.deptype = 'o' GROUP BY p.refobjid, p.dbid) s ON s.refobjid = r.oid
    LEFT JOIN pg_database d ON d.oid = s.dbid
    WHERE NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid)
      AND EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid = o.oid)
    ORDER BY r.rolname, d.datname;
    is_well := is_well AND NOT FOUND;
    RETURN QUERY
    SELECT 'runners', 'warning',
           format('role "%s" was made by a worker of a database that is not in this cluster', r.rolname),
           @extschema@.out_of_the_way(r.oid)
    FROM pg_roles r
    WHERE r.rolname ~ '^elephant_worker_[0-9]+_[0-9]+$'
      AND split_part(r.rolname, '_', 3) NOT IN (SELECT d.oid::text FROM pg_database d)
    ORDER BY r.rolname;
    IF NOT FOUND AND is_well THEN
        RETURN QUERY VALUES ('runners', 'ok', format('none of the roles %s... has been tampered with, and none owns anything', prefix), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_runners() IS
    'for check_setup(): whether the login roles of the worker are what it has made them, own nothing, and none is left over';
REVOKE ALL ON FUNCTION @extschema@.check_runners() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_runners() TO job_monitor;
