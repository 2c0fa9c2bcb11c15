CREATE FUNCTION @extschema@.check_listening() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    conninfo CONSTANT text := (SELECT s.conninfo FROM @extschema@.worker_setting s);
    addresses CONSTANT text := current_setting('listen_addresses');
BEGIN
    IF conninfo ~ '[[:<:]]host(addr)?[[:>:]][[:space:]]*=' THEN
        RETURN QUERY VALUES ('listen_addresses', 'ok', 'worker_setting.conninfo names the host', NULL);
    ELSIF btrim(addresses) = '' THEN
        RETURN QUERY VALUES ('listen_addresses', 'error',
                     'listen_addresses is empty: the sessions of runs cannot reach the server over the loopback address',
                     'ALTER SYSTEM SET listen_addresses = ''localhost''; -- holds after a restart of the server');
    ELSE
        RETURN QUERY VALUES ('listen_addresses', 'ok', addresses, NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_listening() IS
    'for check_setup(): whether the server listens where the sessions of runs look for it';
REVOKE ALL ON FUNCTION @extschema@.check_listening() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_listening() TO job_monitor;
