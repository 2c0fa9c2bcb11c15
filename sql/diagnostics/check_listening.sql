CREATE FUNCTION @internal@.conninfo_address(conninfo text, OUT address text, OUT is_own boolean)
LANGUAGE plpython3u STABLE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $python$
# load elephant
port = plpy.execute("SELECT pg_catalog.current_setting('port') AS port")[0]["port"]
return elephant("worker.logins").conninfo_address(conninfo, port)
$python$;
COMMENT ON FUNCTION @extschema@.conninfo_address(text) IS
    'the address that a connection string names, NULL: none; and whether this server itself listens there';
REVOKE ALL ON FUNCTION @extschema@.conninfo_address(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.conninfo_address(text) TO job_monitor;

CREATE FUNCTION @internal@.check_listening() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named record;
    place record;
BEGIN
    SELECT a.address, a.is_own INTO named FROM @extschema@.worker_setting s, @extschema@.conninfo_address(s.conninfo) a;
    IF named.is_own THEN
        RETURN QUERY VALUES ('listen_addresses', 'ok',
                     format('worker_setting.conninfo names %s, where this server listens', named.address), NULL);
        RETURN;
    ELSIF named.address IS NOT NULL THEN
        RETURN QUERY VALUES ('listen_addresses', 'ok',
                     format('worker_setting.conninfo leads to %s; a pooler there must keep the session of a client (pool_mode = session)',
                            named.address), NULL);
        RETURN;
    END IF;
    SELECT * INTO place FROM @extschema@.runner_address();
    IF (place.user_error).message IS NOT NULL THEN
        RETURN QUERY VALUES ('listen_addresses', 'error',
                     (place.user_error).message,
                     'ALTER SYSTEM SET listen_addresses = ''localhost''; -- takes effect when the server is restarted');
    ELSE
        RETURN QUERY VALUES ('listen_addresses', 'ok',
                     coalesce('runs connect from ' || host(place.address), 'runs connect over the socket'), NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_listening() IS
    'for check_setup(): whether the server listens where the sessions of runs look for it';
REVOKE ALL ON FUNCTION @extschema@.check_listening() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_listening() TO job_monitor;
