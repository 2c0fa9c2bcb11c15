-- One check after the other, each with its own findings. The first two need no table.
CREATE FUNCTION @internal@.run_checks() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    roles CONSTANT @extschema@.setup_finding[] := ARRAY(SELECT r FROM @extschema@.check_roles() r);
    package @extschema@.setup_finding;
BEGIN
    RETURN QUERY SELECT r.* FROM unnest(roles) r;
    IF roles[1].state <> 'ok' THEN
        RETURN; -- the others ask for these roles
    END IF;
    IF (SELECT c.code = 'owner' FROM @extschema@.worker_condition() c) THEN
        RETURN QUERY SELECT * FROM @extschema@.check_worker();
        RETURN; -- the others need its rights
    END IF;
    SELECT * INTO package FROM @extschema@.check_package();
    RETURN QUERY SELECT * FROM @extschema@.check_worker();
    RETURN QUERY SELECT * FROM @extschema@.check_files();
    RETURN NEXT package;
    IF package.state = 'ok' THEN -- these need it
        RETURN QUERY SELECT * FROM @extschema@.check_launcher();
        RETURN QUERY SELECT * FROM @extschema@.check_local_login();
        RETURN QUERY SELECT * FROM @extschema@.check_listening();
        RETURN QUERY SELECT * FROM @extschema@.check_timezones();
        RETURN QUERY SELECT * FROM @extschema@.check_authentication();
    END IF;
    RETURN QUERY SELECT * FROM @extschema@.check_connections();
    RETURN QUERY SELECT * FROM @extschema@.check_jobs();
    RETURN QUERY SELECT * FROM @extschema@.check_runners();
    RETURN QUERY SELECT * FROM @extschema@.check_schema();
    RETURN QUERY SELECT * FROM @extschema@.check_triggers();
    RETURN QUERY SELECT * FROM @extschema@.check_sequences();
    RETURN QUERY SELECT * FROM @extschema@.check_replication();
END
$$;
COMMENT ON FUNCTION @extschema@.run_checks() IS 'check_setup(), where no lock is in the way';
REVOKE ALL ON FUNCTION @extschema@.run_checks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.run_checks() TO job_monitor;

CREATE FUNCTION @extschema@.check_setup() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET lock_timeout = '100ms' -- whoever holds a lock is named, not waited for
SET jit = off -- takes longer than all of this
AS $$
DECLARE
    locks @extschema@.setup_finding[];
    findings @extschema@.setup_finding[];
BEGIN
    FOR attempt IN 1..2 LOOP
        BEGIN
            locks := ARRAY(SELECT l FROM @extschema@.check_locks(interval '5 seconds') l);
            IF locks[1].state = 'ok' THEN
                findings := ARRAY(SELECT c FROM @extschema@.run_checks() c);
            END IF;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            locks := ARRAY(SELECT l FROM @extschema@.check_locks(interval '0', in_catalogs => true) l);
            EXIT WHEN locks[1].state <> 'ok';
            IF attempt = 2 THEN
                RAISE; -- all would be well without a word of what was not looked at
            END IF;
        END;
    END LOOP;
    RETURN QUERY SELECT f.* FROM unnest(locks || findings) f;
END
$$;
COMMENT ON FUNCTION @extschema@.check_setup() IS
    'reports why jobs do not run on this server and how to fix it; waits for no lock; job_monitor sees less of pg_hba.conf';
REVOKE ALL ON FUNCTION @extschema@.check_setup() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_setup() TO job_monitor;
