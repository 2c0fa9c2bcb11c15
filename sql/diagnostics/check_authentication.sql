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

CREATE FUNCTION @internal@.runner_hba_rule(rolname name, datname name, address inet, encrypted boolean DEFAULT false)
RETURNS integer
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- A runner is a member of its role alone; there may be none yet.
    SELECT @extschema@.deciding_hba_rule(format('elephant_worker_%s_%s', d.oid, r.oid)::name, r.rolname,
                                         runner_hba_rule.datname, runner_hba_rule.address, encrypted)
    FROM pg_database d, pg_roles r
    WHERE d.datname = current_database() AND r.rolname = runner_hba_rule.rolname;
$$;
COMMENT ON FUNCTION @extschema@.runner_hba_rule(name, name, inet, boolean) IS
    'the number of the rule of pg_hba.conf that decides about the sessions of runs of a role in a database from this address (NULL: over a socket), encrypted or not; NULL: none does';
REVOKE ALL ON FUNCTION @extschema@.runner_hba_rule(name, name, inet, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.runner_hba_rule(name, name, inet, boolean) TO job_monitor;

CREATE FUNCTION @internal@.refused_runners(address inet, OUT rule integer, OUT rolname name, OUT datname name, OUT others bigint)
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
               @extschema@.runner_hba_rule(t.rolname, t.datname, refused_runners.address, x.encrypted) AS rule
        FROM target t, (SELECT false UNION SELECT current_setting('ssl')::boolean AND refused_runners.address IS NOT NULL) x (encrypted)),
    refused AS (
        SELECT a.rolname, a.datname, min(a.rule) AS rule
        FROM attempt a LEFT JOIN @extschema@.hba_rules() h ON h.number = a.rule
        CROSS JOIN @extschema@.worker_setting s
        GROUP BY a.rolname, a.datname
        -- A client has no certificate unless conninfo names one.
        HAVING NOT bool_or(h.auth_method IN ('scram-sha-256', 'md5', 'password', 'trust')
                           AND ((array_to_string(h.options, ' ') ~ 'clientcert=verify') IS NOT TRUE OR s.conninfo ~ 'sslcert')) IS TRUE)
    SELECT DISTINCT ON (r.rule) r.rule, r.rolname, r.datname, count(*) OVER (PARTITION BY r.rule) - 1
    FROM refused r ORDER BY r.rule, r.rolname, r.datname;
$$;
COMMENT ON FUNCTION @extschema@.refused_runners(inet) IS
    'the rules of pg_hba.conf (NULL: none decides) that keep sessions of runs from logging in with their password, an example for each, and how many more there are';
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
        -- Whether that is possible is for the other end to say: the runs do.
        RETURN QUERY
        SELECT 'authentication', 'warning',
               format('run %s, the last one on this server, got no connection: %s', l.jl_id, @extschema@.in_one_line(l.exception_message)),
               format('SELECT * FROM @extschema@.all_job_log WHERE jl_id = %s; -- worker_setting.connect_as and conninfo say how to connect', l.jl_id)
        FROM (SELECT * FROM (SELECT * FROM @extschema@.all_job_log g ORDER BY g.jl_id DESC LIMIT 1000) r
              WHERE r.server IS NULL AND (r.job_started IS NOT NULL OR r.job_sqlstate ~ '^(08|28)')
              ORDER BY r.jl_id DESC LIMIT 1) l
        WHERE l.job_started IS NULL;
        IF NOT FOUND THEN
            RETURN QUERY VALUES ('authentication', 'ok', 'worker_setting.connect_as or conninfo says how to connect: as far as the log tells, runs can', NULL);
        END IF;
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
           CASE WHEN r.rule IS NULL
                THEN format('no line of pg_hba.conf lets the sessions of runs in %s', place)
                ELSE format('%s asks the sessions of runs %s for %s: they have a password', @extschema@.hba_place(r.rule), place,
                            CASE WHEN array_to_string(h.options, ' ') ~ 'clientcert=verify' THEN 'a certificate' ELSE h.auth_method END) END
           || format(' (role "%s" in database "%s"%s)', r.rolname, r.datname,
                     CASE WHEN r.others > 0 THEN format(' and %s more', r.others) END),
           @extschema@.insert_hba_line(@extschema@.runner_hba_entry(client), h.line, h.path)
    FROM @extschema@.refused_runners(client) r
    LEFT JOIN @extschema@.hba_rules() h ON h.number = r.rule
    ORDER BY r.rule;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('authentication', 'ok', format('pg_hba.conf lets the sessions of runs in %s by password', place), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_authentication() IS
    'for check_setup(): whether pg_hba.conf lets the sessions of runs in';
REVOKE ALL ON FUNCTION @extschema@.check_authentication() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_authentication() TO job_monitor;
