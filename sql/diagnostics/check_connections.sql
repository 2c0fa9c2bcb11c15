CREATE FUNCTION @internal@.check_connections() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting @extschema@.worker_setting;
    -- The worker, its spare, and the connections through which it hears of new jobs and vacuums.
    own CONSTANT integer := 4;
    there CONSTANT integer := @extschema@.ordinary_connections();
    room integer;
    is_well boolean;
BEGIN
    SELECT * INTO setting FROM @extschema@.worker_setting;
    room := there - setting.spare_connections - own;
    is_well := room >= setting.max_running_jobs;
    IF NOT is_well THEN
        RETURN QUERY VALUES ('connections', CASE WHEN room < 1 THEN 'error' ELSE 'warning' END,
                     format('the server has %s connections: less than for %s runs, %s spare and %s of the worker''s own',
                            there, setting.max_running_jobs, setting.spare_connections, own),
                     CASE WHEN room < 1
                          THEN format('ALTER SYSTEM SET max_connections = %s; -- holds after a restart of the server',
                                      current_setting('max_connections')::integer + setting.max_running_jobs - room)
                          ELSE format('UPDATE @extschema@.worker_setting SET max_running_jobs = %s;', room) END);
    END IF;
    -- Through a runner the worker listens, too.
    RETURN QUERY
    SELECT 'connections', 'error',
           format('of the server''s %s connections %s are taken by sessions of no runs, and %s left to others (spare_connections): runs wait until some of these have ended',
                  there, o.sessions, setting.spare_connections),
           @extschema@.connections_remedy(setting.max_running_jobs)
    FROM (SELECT sum(c.others) + 1 AS sessions FROM @extschema@.client_sessions() c) o
    WHERE room > 0 AND o.sessions + setting.spare_connections >= there;
    is_well := is_well AND NOT FOUND;
    -- The limit of a database counts all sessions there, and stops those of roles that are not superusers.
    RETURN QUERY
    SELECT 'connections', 'error',
           format('database "%s" has CONNECTION LIMIT %s, of which the worker takes up to %s: runs there wait for ever',
                  d.datname, d.datconnlimit, own),
           format('ALTER DATABASE %s CONNECTION LIMIT %s;', @extschema@.quote_ident_in_one_line(d.datname::text), d.datconnlimit + own + setting.max_running_jobs)
    FROM pg_database d
    WHERE d.datname = current_database() AND d.datconnlimit BETWEEN 1 AND own; -- 0: see check_jobs()
    is_well := is_well AND NOT FOUND;
    RETURN QUERY
    SELECT 'connections', 'error',
           format('database "%s" has CONNECTION LIMIT %s, and there are %s sessions of no runs: runs wait until some of these have ended',
                  d.datname, d.datconnlimit, o.sessions),
           format(E'SELECT pid, usename, application_name, state, state_change FROM pg_stat_activity WHERE datname = %s;\n-- to allow more: ALTER DATABASE %s CONNECTION LIMIT %s;',
                  @extschema@.quote_literal_in_one_line(d.datname::text), @extschema@.quote_ident_in_one_line(d.datname::text),
                  o.sessions + setting.max_running_jobs)
    FROM pg_database d
    CROSS JOIN LATERAL (SELECT c.others + CASE WHEN d.datname = current_database() THEN 1 ELSE 0 END AS sessions
                        FROM @extschema@.client_sessions() c WHERE c.database = d.oid) o
    WHERE d.datconnlimit > 0 AND o.sessions >= d.datconnlimit AND (d.datname <> current_database() OR d.datconnlimit > own)
      AND EXISTS (SELECT FROM @extschema@.all_job j WHERE j.datname = d.datname AND j.server IS NULL AND j.enabled);
    IF NOT FOUND AND is_well THEN
        RETURN QUERY VALUES ('connections', 'ok',
                     format('%s for all, %s for runs, %s spare', there, setting.max_running_jobs, setting.spare_connections),
                     NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_connections() IS
    'for check_setup(): whether there are as many connections as max_running_jobs and spare_connections ask for, also in databases with a CONNECTION LIMIT';
REVOKE ALL ON FUNCTION @extschema@.check_connections() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_connections() TO job_monitor;
