CREATE FUNCTION @internal@.runner_address(OUT address inet, OUT user_error @extschema@.user_error)
LANGUAGE plpython3u STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("worker.logins").runner_address()
$python$;
COMMENT ON FUNCTION @extschema@.runner_address() IS
    'from which address the sessions of runs connect, unless worker_setting.conninfo says otherwise; NULL: over a socket';
REVOKE ALL ON FUNCTION @extschema@.runner_address() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.runner_address() TO job_monitor;

CREATE FUNCTION @internal@.loopback_address() RETURNS inet
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.address FROM @extschema@.runner_address() a;
$$;
COMMENT ON FUNCTION @extschema@.loopback_address() IS 'the address alone of runner_address()';
REVOKE ALL ON FUNCTION @extschema@.loopback_address() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.loopback_address() TO job_monitor;

CREATE FUNCTION @internal@.host_has_address(host text, address inet) RETURNS boolean
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
return elephant("system.host_names").has_address(host, address)
$python$;
COMMENT ON FUNCTION @extschema@.host_has_address(text, inet) IS
    'whether a host name of pg_hba.conf stands for an address; one that begins with a dot, for all hosts below it';
REVOKE ALL ON FUNCTION @extschema@.host_has_address(text, inet) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.host_has_address(text, inet) TO job_monitor;

-- Which line of pg_hba.conf lets the runner of a role in, or keeps it out: the first one that fits.
CREATE FUNCTION @internal@.runner_hba_line(rolname name, datname name, address inet, encrypted boolean DEFAULT false)
RETURNS integer
LANGUAGE sql STABLE SECURITY INVOKER
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
      AND CASE WHEN runner_hba_line.address IS NULL THEN h.type = 'local'
               WHEN encrypted THEN h.type IN ('host', 'hostssl', 'hostnogssenc')
               ELSE h.type IN ('host', 'hostnossl', 'hostnogssenc') END
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
      AND CASE WHEN runner_hba_line.address IS NULL OR h.address IN ('all', 'samehost', 'samenet') THEN true
               WHEN h.netmask IS NULL THEN @extschema@.host_has_address(h.address, runner_hba_line.address)
               WHEN family(h.netmask::inet) <> family(runner_hba_line.address) THEN false
               ELSE runner_hba_line.address & h.netmask::inet = h.address::inet & h.netmask::inet END
    ORDER BY h.line_number LIMIT 1;
$$;
COMMENT ON FUNCTION @extschema@.runner_hba_line(name, name, inet, boolean) IS
    'the number of the line of pg_hba.conf that decides about the sessions of runs of a role in a database from this address (NULL: over a socket), encrypted or not; NULL: none does';
REVOKE ALL ON FUNCTION @extschema@.runner_hba_line(name, name, inet, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.runner_hba_line(name, name, inet, boolean) TO job_monitor;

CREATE FUNCTION @internal@.refused_runners(address inet, OUT line integer, OUT rolname name, OUT datname name, OUT others bigint)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH target AS (
        SELECT DISTINCT a.rolname, a.datname
        FROM @extschema@.all_job a JOIN pg_roles r ON r.rolname = a.rolname WHERE a.enabled AND a.server IS NULL
        UNION SELECT r.rolname, current_database() FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner
              WHERE e.extname = 'elephant_worker'),
    attempt AS (
        -- Without TLS first, and with it where the server has it.
        SELECT t.rolname, t.datname, x.encrypted,
               @extschema@.runner_hba_line(t.rolname, t.datname, refused_runners.address, x.encrypted) AS line
        FROM target t, (SELECT false UNION SELECT current_setting('ssl')::boolean AND refused_runners.address IS NOT NULL) x (encrypted)),
    refused AS (
        SELECT a.rolname, a.datname, min(a.line) AS line
        FROM attempt a LEFT JOIN pg_hba_file_rules h ON h.line_number = a.line AND h.error IS NULL
        GROUP BY a.rolname, a.datname
        HAVING NOT bool_or(h.auth_method IN ('scram-sha-256', 'md5', 'password', 'trust')) IS TRUE)
    SELECT r.line, min(r.rolname), min(r.datname), count(*) - 1 FROM refused r GROUP BY r.line;
$$;
COMMENT ON FUNCTION @extschema@.refused_runners(inet) IS
    'the lines of pg_hba.conf (NULL: none decides) that keep sessions of runs from logging in with their password, an example for each, and how many more there are';
REVOKE ALL ON FUNCTION @extschema@.refused_runners(inet) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.refused_runners(inet) TO job_monitor;

CREATE FUNCTION @internal@.runner_hba_entry(address inet) RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- Names the runners and nobody else: since PostgreSQL 16 those of all jobs, before that those of the present ones.
    SELECT format('%s all %s scram-sha-256',
                  CASE WHEN address IS NULL THEN 'local' ELSE 'host' END,
                  CASE WHEN current_setting('server_version_num')::integer >= 160000
                       THEN format('"/^elephant_worker_%s_"', d.oid)
                       ELSE (SELECT string_agg(format('elephant_worker_%s_%s', d.oid, r.oid), ',' ORDER BY r.oid)
                             FROM pg_roles r
                             WHERE r.rolname IN (SELECT a.rolname FROM @extschema@.all_job a WHERE a.enabled)
                                OR r.oid = (SELECT e.extowner FROM pg_extension e WHERE e.extname = 'elephant_worker')) END
                  || CASE WHEN address IS NULL THEN ''
                          ELSE ' ' || set_masklen(address, CASE family(address) WHEN 4 THEN 32 ELSE 128 END)::cidr END)
    FROM pg_database d WHERE d.datname = current_database();
$$;
COMMENT ON FUNCTION @extschema@.runner_hba_entry(inet) IS
    'a line of pg_hba.conf that lets the sessions of runs in from this address (NULL: over a socket), and nobody else';
REVOKE ALL ON FUNCTION @extschema@.runner_hba_entry(inet) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.runner_hba_entry(inet) TO job_monitor;

CREATE FUNCTION @internal@.check_authentication() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting @extschema@.worker_setting;
    client inet;
    place text;
BEGIN
    SELECT * INTO setting FROM @extschema@.worker_setting;
    IF setting.connect_as = 'role' OR (@extschema@.conninfo_address(setting.conninfo)).address IS NOT NULL THEN
        RETURN QUERY VALUES ('authentication', 'ok', 'worker_setting.connect_as or conninfo says how to connect: not looked at', NULL);
        RETURN;
    ELSIF NOT has_function_privilege('pg_hba_file_rules()', 'EXECUTE') THEN
        RETURN QUERY VALUES ('authentication', 'warning', 'this role may not see pg_hba.conf: not looked at',
                     'GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO job_monitor; '
                     'GRANT SELECT ON pg_hba_file_rules TO job_monitor;');
        RETURN;
    END IF;
    SELECT a.address INTO client FROM @extschema@.runner_address() a WHERE a.user_error IS NULL;
    IF NOT FOUND THEN
        RETURN; -- as check_listening() says
    END IF;
    place := coalesce('from ' || host(client), 'over the socket');
    RETURN QUERY
    SELECT 'authentication', 'error',
           CASE WHEN r.line IS NULL
                THEN format('no line of pg_hba.conf lets the sessions of runs in %s', place)
                ELSE format('line %s of pg_hba.conf asks the sessions of runs %s for %s: they have a password',
                            r.line, place, h.auth_method) END
           || format(' (role "%s" in database "%s"%s)', r.rolname, r.datname,
                     CASE WHEN r.others > 0 THEN format(' and %s more', r.others) END),
           @extschema@.insert_hba_line(@extschema@.runner_hba_entry(client), r.line)
    FROM @extschema@.refused_runners(client) r
    LEFT JOIN pg_hba_file_rules h ON h.line_number = r.line
    ORDER BY r.line;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('authentication', 'ok', format('pg_hba.conf lets the sessions of runs in %s by password', place), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_authentication() IS
    'for check_setup(): whether pg_hba.conf lets the sessions of runs in';
REVOKE ALL ON FUNCTION @extschema@.check_authentication() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_authentication() TO job_monitor;
