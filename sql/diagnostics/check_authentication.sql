CREATE FUNCTION @extschema@.loopback_address() RETURNS inet
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("worker.logins").client_address()
$python$;
COMMENT ON FUNCTION @extschema@.loopback_address() IS
    'where the sessions of runs look for the server, unless worker_setting.conninfo says otherwise';
REVOKE ALL ON FUNCTION @extschema@.loopback_address() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.loopback_address() TO job_monitor;

-- Which line of pg_hba.conf lets the runner of a role in, or keeps it out: the first one that fits.
CREATE FUNCTION @extschema@.runner_hba_line(rolname name, datname name, address inet) RETURNS integer
LANGUAGE sql STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE member_of (oid, rolname) AS (
        SELECT r.oid, r.rolname FROM pg_roles r WHERE r.rolname = runner_hba_line.rolname
        UNION
        SELECT g.oid, g.rolname FROM member_of o JOIN pg_auth_members m ON m.member = o.oid JOIN pg_roles g ON g.oid = m.roleid)
    SELECT h.line_number
    FROM pg_hba_file_rules h,
         (SELECT format('elephant_worker_%s_%s', d.oid, r.oid) AS name FROM pg_database d, pg_roles r
          WHERE d.datname = current_database() AND r.rolname = runner_hba_line.rolname) runner
    WHERE h.error IS NULL
      AND h.type IN ('host', 'hostnossl', 'hostnogssenc')
      AND EXISTS (
          SELECT FROM unnest(h.database) d (name)
          WHERE d.name IN ('all', runner_hba_line.datname)
             OR d.name IN ('samerole', 'samegroup') AND EXISTS (SELECT FROM member_of o WHERE o.rolname = runner_hba_line.datname)
             OR d.name LIKE '/%' AND runner_hba_line.datname ~ substr(d.name, 2))
      AND EXISTS (
          SELECT FROM unnest(h.user_name) u (name)
          WHERE u.name IN ('all', runner.name)
             OR u.name LIKE '+%' AND EXISTS (SELECT FROM member_of o WHERE o.rolname = substr(u.name, 2))
             OR u.name LIKE '/%' AND runner.name ~ substr(u.name, 2))
      AND CASE WHEN h.address IN ('all', 'samehost', 'samenet', 'localhost') THEN true
               WHEN h.netmask IS NULL OR family(h.netmask::inet) <> family(runner_hba_line.address) THEN false
               ELSE runner_hba_line.address & h.netmask::inet = h.address::inet & h.netmask::inet END
    ORDER BY h.line_number LIMIT 1;
$$;
COMMENT ON FUNCTION @extschema@.runner_hba_line(name, name, inet) IS
    'the number of the line of pg_hba.conf that decides about the sessions of runs of a role in a database from this address; NULL: none does';
REVOKE ALL ON FUNCTION @extschema@.runner_hba_line(name, name, inet) FROM PUBLIC;

CREATE FUNCTION @extschema@.check_authentication() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting @extschema@.worker_setting;
    loopback inet;
    new_line text;
BEGIN
    SELECT * INTO setting FROM @extschema@.worker_setting;
    IF setting.connect_as = 'role' OR setting.conninfo ~ '[[:<:]]host(addr)?[[:>:]][[:space:]]*=' THEN
        RETURN QUERY VALUES ('authentication', 'ok', 'worker_setting.connect_as or conninfo says how to connect: not looked at', NULL);
        RETURN;
    ELSIF NOT has_function_privilege('pg_hba_file_rules()', 'EXECUTE') THEN
        RETURN QUERY VALUES ('authentication', 'warning', 'this role may not see pg_hba.conf: not looked at',
                     'GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO job_monitor; '
                     'GRANT SELECT ON pg_hba_file_rules TO job_monitor;');
        RETURN;
    END IF;
    loopback := @extschema@.loopback_address();
    -- Since PostgreSQL 16 one line can be for the runners alone.
    new_line := format('host all %s %s scram-sha-256',
                   CASE WHEN current_setting('server_version_num')::integer >= 160000
                        THEN format('/^elephant_worker_%s_', (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
                        ELSE 'all' END,
                   set_masklen(loopback, CASE family(loopback) WHEN 4 THEN 32 ELSE 128 END)::cidr);
    RETURN QUERY
    SELECT 'authentication', 'error',
           CASE WHEN p.line IS NULL
                THEN format('no line of pg_hba.conf lets the sessions of runs in from %s', host(loopback))
                ELSE format('line %s of pg_hba.conf asks the sessions of runs from %s for %s: they have a password',
                            p.line, host(loopback), h.auth_method) END
           || format(' (role "%s" in database "%s"%s)', p.rolname, p.datname,
                     CASE WHEN p.others > 0 THEN format(' and %s more', p.others) END),
           format(E'sudo sed -i ''1i %s'' %s\nsudo -u %s psql -p %s -c ''SELECT pg_reload_conf()''', new_line,
                  current_setting('hba_file'), (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10), current_setting('port'))
    FROM (SELECT l.line, min(l.rolname) AS rolname, min(l.datname) AS datname, count(*) - 1 AS others
          FROM (SELECT j.rolname, j.datname, @extschema@.runner_hba_line(j.rolname, j.datname, loopback) AS line
                FROM (SELECT DISTINCT a.rolname, a.datname
                      FROM @extschema@.all_job a JOIN pg_roles r ON r.rolname = a.rolname WHERE a.enabled
                      UNION SELECT r.rolname, current_database() FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner
                            WHERE e.extname = 'elephant_worker') j) l
          GROUP BY l.line) p
    LEFT JOIN pg_hba_file_rules h ON h.line_number = p.line
    WHERE h.auth_method IS NULL OR h.auth_method NOT IN ('scram-sha-256', 'md5', 'password', 'trust')
    ORDER BY p.line;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('authentication', 'ok', format('pg_hba.conf lets the sessions of runs in from %s by password', host(loopback)),
                     NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_authentication() IS
    'for check_setup(): whether pg_hba.conf lets the sessions of runs in';
REVOKE ALL ON FUNCTION @extschema@.check_authentication() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_authentication() TO job_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.runner_hba_line(name, name, inet) TO job_monitor;
