CREATE FUNCTION @extschema@.check_runners() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    prefix CONSTANT text := format('elephant_worker_%s_', (SELECT d.oid FROM pg_database d
                                                           WHERE d.datname = current_database()));
BEGIN
    -- As prepare_runner() has it: a member of its role alone, and nobody a member of it.
    RETURN QUERY
    SELECT 'runners', 'error',
           format('role "%s" is not what it should be: the runs of role "%s" are refused', r.rolname, o.rolname),
           w.remedy
    FROM pg_roles o
    JOIN pg_roles r ON r.rolname = prefix || o.oid
    CROSS JOIN LATERAL (
        SELECT string_agg(c.command, E'\n') AS remedy
        FROM (SELECT format('REVOKE %I FROM %I GRANTED BY %I;', g.rolname, n.rolname, b.rolname)
              FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles n ON n.oid = m.member
              JOIN pg_roles b ON b.oid = m.grantor
              WHERE m.roleid = r.oid OR m.member = r.oid AND m.roleid <> o.oid
              UNION ALL
              SELECT format('GRANT %I TO %I;', o.rolname, r.rolname)
              WHERE NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid = o.oid)) c (command)) w
    WHERE w.remedy IS NOT NULL
    ORDER BY r.rolname;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('runners', 'ok', format('none of the roles %s… has been tampered with', prefix), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_runners() IS
    'for check_setup(): whether the login roles of the worker are what it has made them';
REVOKE ALL ON FUNCTION @extschema@.check_runners() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_runners() TO job_monitor;
