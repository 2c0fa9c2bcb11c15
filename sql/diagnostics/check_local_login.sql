-- How start_worker() opens a session, unless pg_background hosts the worker.
CREATE FUNCTION @internal@.check_local_login() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- The bootstrap superuser is named after the operating system's user of the server.
    superuser CONSTANT name := (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10);
    line integer;
    method text;
    new_line text;
BEGIN
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_background') THEN
        RETURN QUERY VALUES ('local login', 'ok', 'pg_background starts the worker', NULL);
        RETURN;
    ELSIF @extschema@.socket_directory() IS NULL THEN
        RETURN QUERY VALUES ('local login', 'error',
                     'unix_socket_directories is empty: start_worker() opens a session over a socket',
                     format('ALTER SYSTEM SET unix_socket_directories = %L; -- takes effect when the server is restarted; or CREATE EXTENSION pg_background;',
                            (SELECT s.boot_val FROM pg_settings s WHERE s.name = 'unix_socket_directories')));
        RETURN;
    ELSIF NOT has_function_privilege('pg_hba_file_rules()', 'EXECUTE') THEN
        RETURN QUERY VALUES ('local login', 'ok', 'this role may not see pg_hba.conf: not looked at', NULL);
        RETURN;
    END IF;
    SELECT h.line_number, h.auth_method INTO line, method
    FROM pg_hba_file_rules h
    WHERE h.error IS NULL AND h.type = 'local'
      AND EXISTS (SELECT FROM unnest(h.database) d (name)
                  WHERE d.name IN ('all', current_database()) OR d.name IN ('sameuser') AND superuser = current_database()
                     OR d.name LIKE '/%' AND current_database() ~ substr(d.name, 2))
      AND EXISTS (SELECT FROM unnest(h.user_name) u (name)
                  WHERE u.name IN ('all', superuser) OR u.name LIKE '/%' AND superuser ~ substr(u.name, 2)
                     OR u.name LIKE '+%' AND EXISTS (SELECT FROM pg_roles g WHERE g.rolname = substr(u.name, 2)
                                                     AND pg_has_role(superuser, g.oid, 'MEMBER')))
    ORDER BY h.line_number LIMIT 1;
    IF method IN ('peer', 'trust') THEN
        RETURN QUERY VALUES ('local login', 'ok', format('line %s of pg_hba.conf lets role "%s" in over the socket (%s)', line, superuser, method),
                     NULL);
    ELSE
        new_line := format('local %s %s peer', @extschema@.quote_for_hba(current_database()), @extschema@.quote_for_hba(superuser));
        RETURN QUERY VALUES ('local login', 'error',
                     CASE WHEN line IS NULL THEN format('no line of pg_hba.conf lets role "%s" in over the socket', superuser)
                          ELSE format('line %s of pg_hba.conf asks role "%s" on the socket for %s', line, superuser, method) END
                     || ': start_worker() opens a session as the server''s own user',
                     @extschema@.insert_hba_line(new_line, line));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_local_login() IS
    'for check_setup(): whether start_worker() and the launcher can open a session as the server''s own user';
REVOKE ALL ON FUNCTION @extschema@.check_local_login() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_local_login() TO job_monitor;
