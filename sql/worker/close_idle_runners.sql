CREATE FUNCTION @internal@.close_idle_runners() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
SET lock_timeout = '50ms' -- a run may hold a lock on its own runner
AS $$
DECLARE
    runner name;
    -- What prepare_runner() adds to the time for which a runner is needed.
    extra CONSTANT interval := coalesce(current_setting('password_expiration_warning_threshold', true), '0')::interval;
BEGIN
    FOR runner IN
        SELECT r.rolname
        FROM pg_authid r, pg_database d
        WHERE d.datname = current_database() AND r.rolname ~ ('^elephant_worker_' || d.oid || '_[0-9]+$')
          AND r.rolcanlogin AND r.rolvaliduntil > clock_timestamp()
          -- Later than it should be: the setting has been lowered, or somebody has changed the runner.
          AND r.rolvaliduntil - extra NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 minutes'
    LOOP
        BEGIN
            EXECUTE format('ALTER ROLE %I NOLOGIN', runner);
        EXCEPTION WHEN OTHERS THEN
            NULL; -- it is being changed, or dropped; the next time is soon enough
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.close_idle_runners() IS
    'lets nobody log in through runners that have not been needed for ten minutes, though their passwords are still valid, as on PostgreSQL 19';
REVOKE ALL ON FUNCTION @extschema@.close_idle_runners() FROM PUBLIC;
