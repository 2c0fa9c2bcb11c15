CREATE FUNCTION @internal@.own_login(
    OUT rolname name, OUT system_user_name text, OUT has_password boolean, OUT program_directory text
)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("worker.launch").own_login(plpy)
$python$;
COMMENT ON FUNCTION @extschema@.own_login() IS
    'as which role the worker and launchers log in, as which user of the operating system, whether a file has a password for that, and where the server''s programs are';
REVOKE ALL ON FUNCTION @extschema@.own_login() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.own_login() TO job_monitor;

CREATE FUNCTION @internal@.peer_may_be(system_user_name text, rolname name, map text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF map IS NULL THEN
        RETURN system_user_name = rolname;
    ELSIF NOT has_function_privilege('pg_ident_file_mappings()', 'EXECUTE') THEN
        RETURN true; -- nothing is said of what may not be seen
    END IF;
    RETURN EXISTS (
        SELECT FROM pg_ident_file_mappings() m
        CROSS JOIN LATERAL (
            SELECT CASE WHEN m.sys_name LIKE '/%' THEN regexp_match(system_user_name, substr(m.sys_name, 2))
                        WHEN m.sys_name = system_user_name THEN ARRAY[''] END) f (found)
        WHERE m.error IS NULL AND m.map_name = map AND f.found IS NOT NULL
          AND (replace(m.pg_username, E'\\1', f.found[1]) = rolname
               -- A word of its own since PostgreSQL 16.
               OR m.pg_username = 'all' AND current_setting('server_version_num')::integer >= 160000
               OR @extschema@.matches_hba_pattern(rolname, m.pg_username)));
END
$$;
COMMENT ON FUNCTION @extschema@.peer_may_be(text, name, text) IS
    'whether the method peer lets a user of the operating system be a role, by a map of pg_ident.conf (NULL: if their names are the same)';
REVOKE ALL ON FUNCTION @extschema@.peer_may_be(text, name, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.peer_may_be(text, name, text) TO job_monitor;

-- How start_worker() opens a session, unless pg_background hosts the worker.
CREATE FUNCTION @internal@.check_local_login() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own record;
    rule record;
    is_namesake boolean;
    peer_address inet; -- NULL: it comes over the socket
BEGIN
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_background') THEN
        RETURN QUERY VALUES ('local login', 'ok', 'pg_background starts the worker', NULL);
        RETURN;
    ELSIF NOT has_function_privilege('pg_hba_file_rules()', 'EXECUTE') THEN
        RETURN QUERY VALUES ('local login', 'ok', 'this role may not see pg_hba.conf: not looked at', NULL);
        RETURN;
    END IF;
    SELECT * INTO own FROM @extschema@.own_login();
    is_namesake := own.system_user_name = own.rolname;
    IF @extschema@.socket_directory() IS NULL THEN
        peer_address := @extschema@.loopback_address();
    END IF;
    SELECT h.*, @extschema@.hba_place(h.number) AS place, substring(array_to_string(h.options, ' ') FROM 'map=([^ ]+)') AS map INTO rule
    FROM @extschema@.hba_rules() h
    -- Over TCP it takes TLS where it is not let in without.
    WHERE h.number = coalesce(@extschema@.deciding_hba_rule(own.rolname, own.rolname, current_database(), peer_address),
                              @extschema@.deciding_hba_rule(own.rolname, own.rolname, current_database(), peer_address, current_setting('ssl')::boolean));
    IF rule.auth_method = 'trust'
       OR rule.auth_method = 'peer' AND @extschema@.peer_may_be(own.system_user_name, own.rolname, rule.map)
       OR rule.auth_method IN ('scram-sha-256', 'md5', 'password') AND own.has_password THEN
        RETURN QUERY VALUES ('local login', 'ok',
                     format('%s lets role "%s" in %s (%s)', rule.place, own.rolname, coalesce('from ' || host(peer_address), 'over the socket'), rule.auth_method),
                     NULL);
    ELSIF @extschema@.socket_directory() IS NULL THEN
        RETURN QUERY VALUES ('local login', 'error',
                     format('unix_socket_directories is empty, and over TCP no password file of the server''s own user lets role "%s" in: start_worker() opens a session',
                            own.rolname),
                     format('ALTER SYSTEM SET unix_socket_directories = %L; -- takes effect when the server is restarted; or CREATE EXTENSION pg_background;',
                            (SELECT s.boot_val FROM pg_settings s WHERE s.name = 'unix_socket_directories')));
    ELSE
        RETURN QUERY VALUES ('local login', 'error',
                     CASE WHEN rule.number IS NULL THEN format('no line of pg_hba.conf lets role "%s" in over the socket', own.rolname)
                          WHEN rule.auth_method = 'peer'
                          THEN format('%s does not let the operating system''s user "%s" be role "%s"', rule.place, own.system_user_name, own.rolname)
                          ELSE format('%s asks role "%s" on the socket for %s', rule.place, own.rolname, rule.auth_method) END
                     || ': start_worker() opens a session as the server''s own user',
                     CASE WHEN is_namesake THEN '' ELSE @extschema@.append_ident_line(own.system_user_name, own.rolname) || E'\n' END
                     || @extschema@.insert_hba_line(
                            format('local %s %s peer%s', @extschema@.quote_for_hba(current_database()), @extschema@.quote_for_hba(own.rolname),
                                   CASE WHEN NOT is_namesake THEN ' map=elephant_worker' END),
                            rule.line, rule.path));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_local_login() IS
    'for check_setup(): whether start_worker() and the launcher can open a session as the server''s own user';
REVOKE ALL ON FUNCTION @extschema@.check_local_login() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_local_login() TO job_monitor;
