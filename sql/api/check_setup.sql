CREATE FUNCTION @extschema@.check_setup() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locks @extschema@.setup_finding;
    package @extschema@.setup_finding;
BEGIN
    FOR locks IN SELECT * FROM @extschema@.check_locks() LOOP
        RETURN NEXT locks;
    END LOOP;
    IF locks.state <> 'ok' THEN
        RETURN; -- looking at the tables could mean to wait as well
    END IF;
    RETURN QUERY SELECT * FROM @extschema@.check_worker();
    RETURN QUERY SELECT * FROM @extschema@.check_launcher();
    RETURN QUERY SELECT * FROM @extschema@.check_files();
    SELECT * INTO package FROM @extschema@.check_package();
    RETURN NEXT package;
    RETURN QUERY SELECT * FROM @extschema@.check_listening();
    IF package.state = 'ok' THEN -- these need it
        RETURN QUERY SELECT * FROM @extschema@.check_timezones();
        RETURN QUERY SELECT * FROM @extschema@.check_authentication();
    END IF;
    RETURN QUERY SELECT * FROM @extschema@.check_connections();
    RETURN QUERY SELECT * FROM @extschema@.check_jobs();
    RETURN QUERY SELECT * FROM @extschema@.check_runners();
END
$$;
COMMENT ON FUNCTION @extschema@.check_setup() IS
    'reports why jobs do not run on this server and how to fix it; job_monitor sees less of pg_hba.conf';
REVOKE ALL ON FUNCTION @extschema@.check_setup() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_setup() TO job_monitor;
