CREATE FUNCTION @internal@.arm_worker() RETURNS void
LANGUAGE sql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO @extschema@.worker_state DEFAULT VALUES ON CONFLICT DO NOTHING; -- somebody may have deleted it
    -- Directories once known stay known, so that a switchover and the way back need nobody.
    UPDATE @extschema@.worker_state s
    SET armed = true, system_identifier = c.system_identifier, data_directory = here.directory,
        earlier_directories = ARRAY(
            SELECT DISTINCT d.directory FROM unnest(s.earlier_directories || s.data_directory) d (directory)
            WHERE s.system_identifier = c.system_identifier AND d.directory <> here.directory ORDER BY d.directory)
    FROM pg_control_system() c, (SELECT current_setting('data_directory')) here (directory);
    SELECT @extschema@.confirm_copy();
$$;
COMMENT ON FUNCTION @extschema@.arm_worker() IS
    'has launchers, and a spare, start a worker in this cluster and data directory where none runs';
REVOKE ALL ON FUNCTION @extschema@.arm_worker() FROM PUBLIC;

CREATE FUNCTION @internal@.is_armed() RETURNS boolean
LANGUAGE sql STABLE
SECURITY DEFINER -- the data directory is hidden from ordinary roles; nothing of it is shown
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
                THEN s.armed AND s.system_identifier = c.system_identifier
                     AND current_setting('data_directory') = ANY (s.earlier_directories || s.data_directory || w.standby_directories)
                     AND @extschema@.copied_from() IS NULL
                ELSE false END
    FROM @extschema@.worker_state s, @extschema@.worker_setting w, pg_control_system() c;
$$;
COMMENT ON FUNCTION @extschema@.is_armed() IS
    'whether launchers may start a worker: one was started in this cluster and database, not in one that this is a copy of, and not stopped since';
REVOKE ALL ON FUNCTION @extschema@.is_armed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.is_armed() TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.armed_elsewhere() RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
    -- The data directory is hidden from ordinary roles, to whom worker_condition() tells this.
    SELECT CASE
        WHEN NOT s.armed OR @extschema@.is_armed() THEN NULL
        WHEN @extschema@.copied_from() IS NOT NULL
        THEN format('it was started in database "%s", of which this one is a copy', @extschema@.copied_from())
        WHEN s.system_identifier = c.system_identifier
        THEN format('it was started in data directory %s, and this one is %s', v.there, v.here)
        ELSE format('it was started in the cluster with system identifier %s in %s, and this is cluster %s in %s',
                    s.system_identifier, v.there, c.system_identifier, v.here) END
    FROM @extschema@.worker_state s, pg_control_system() c,
         (SELECT pg_has_role(session_user, 'pg_read_all_settings', 'USAGE')) may (see)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN may.see THEN format('"%s"', s.data_directory) ELSE 'one place' END,
               CASE WHEN may.see THEN format('"%s"', current_setting('data_directory')) ELSE 'another' END) v (there, here);
$$;
COMMENT ON FUNCTION @extschema@.armed_elsewhere() IS
    'why launchers do nothing although a worker was started and not stopped: in another cluster, data directory or database; NULL: this is not so';
REVOKE ALL ON FUNCTION @extschema@.armed_elsewhere() FROM PUBLIC;

CREATE FUNCTION @internal@.warn_launcher() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_is_in_recovery() AND @extschema@.armed_elsewhere() IS NOT NULL THEN
        RAISE WARNING 'the worker is not started: %', @extschema@.armed_elsewhere()
            USING HINT = CASE WHEN @extschema@.copied_from() IS NOT NULL THEN 'SELECT @extschema@.confirm_copy(); ' ELSE '' END
                         || 'SELECT @extschema@.start_worker(); starts it here, SELECT @extschema@.stop_worker(); has launchers keep quiet.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.warn_launcher() IS
    'tells a launcher that it does nothing in this cluster or data directory, where it may be expected to';
REVOKE ALL ON FUNCTION @extschema@.warn_launcher() FROM PUBLIC;
