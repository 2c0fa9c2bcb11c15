CREATE FUNCTION @extschema@.check_worker() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    status @extschema@.worker_status;
    condition record;
BEGIN
    SELECT * INTO status FROM @extschema@.worker_status;
    SELECT * INTO condition FROM @extschema@.worker_condition();
    IF condition.code IS NULL THEN
        RETURN QUERY VALUES ('worker', 'ok', format('process %s (%s) runs since %s', status.pid, status.host, status.started_at),
                             NULL);
    ELSIF condition.code = 'standby' AND (status.launchable OR NOT status.armed) THEN
        RETURN QUERY VALUES ('worker', 'ok', condition.reason, NULL);
    ELSE
        RETURN QUERY
        SELECT 'worker', c.state, condition.reason, c.remedy
        FROM (VALUES
            ('standby', 'warning',
             format('UPDATE @extschema@.worker_setting SET standby_directories = standby_directories || %L::text; -- on the primary',
                    current_setting('data_directory', true))),
            ('files', 'error', E'# in a clone of elephant_worker\nmake && sudo make install'),
            ('leaving', 'warning', 'SELECT @extschema@.start_worker();'),
            ('synchronous standby', 'error',
             'SELECT application_name, state, sync_state FROM pg_stat_replication; -- have a synchronous standby connect; or do without:'
             || E'\nALTER SYSTEM SET synchronous_standby_names = '''';\nSELECT pg_reload_conf();'),
            ('lock', 'error',
             (SELECT string_agg(format('SELECT pg_terminate_backend(%s);', b.pid), ' ') FROM unnest(condition.blockers) b (pid))),
            ('stalled', 'error',
             format('SELECT pg_terminate_backend(%s, 10000); SELECT @extschema@.start_worker();', status.pid)),
            ('paused', 'warning', 'SELECT @extschema@.resume_jobs();'),
            ('never started', 'error', 'SELECT @extschema@.start_worker();'),
            ('stopped', 'error', 'SELECT @extschema@.start_worker();'),
            ('elsewhere', 'error', 'SELECT @extschema@.start_worker();'),
            ('ended', 'error', 'SELECT @extschema@.start_worker();')) c (code, state, remedy)
        WHERE c.code = condition.code;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_worker() IS 'for check_setup(): whether the worker runs and is well';
REVOKE ALL ON FUNCTION @extschema@.check_worker() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_worker() TO job_monitor;
