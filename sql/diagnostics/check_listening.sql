CREATE FUNCTION @internal@.check_listening() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    conninfo CONSTANT text := (SELECT s.conninfo FROM @extschema@.worker_setting s);
    place record;
BEGIN
    IF conninfo ~ '[[:<:]]host(addr)?[[:>:]][[:space:]]*=' THEN
        RETURN QUERY VALUES ('listen_addresses', 'ok', 'worker_setting.conninfo names the host', NULL);
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
