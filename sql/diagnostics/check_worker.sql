CREATE FUNCTION @extschema@.check_worker() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    status @extschema@.worker_status;
BEGIN
    IF NOT current_setting('track_activities')::boolean THEN
        RETURN QUERY VALUES ('track_activities', 'error', 'track_activities is off: whether a worker runs cannot be seen',
                     'ALTER SYSTEM SET track_activities = on; SELECT pg_reload_conf();');
    END IF;
    SELECT * INTO status FROM @extschema@.worker_status;
    RETURN QUERY SELECT 'worker', f.* FROM (SELECT
        CASE WHEN pg_is_in_recovery() THEN 'ok'
             WHEN NOT status.running THEN 'error'
             WHEN status.last_tick < clock_timestamp() - interval '10 seconds' THEN 'error'
             WHEN status.paused_since IS NOT NULL THEN 'warning'
             ELSE 'ok' END) s (state)
    CROSS JOIN LATERAL (SELECT s.state,
        CASE WHEN pg_is_in_recovery() THEN 'this server is a standby: a launcher starts the worker once it is promoted'
             WHEN NOT status.running AND status.armed THEN 'the worker has ended, and nothing has started it again'
             WHEN NOT status.running THEN 'no worker has been started, or stop_worker() has ended it'
             WHEN s.state = 'error'
             THEN format('the worker (process %s) has not looked around since %s', status.pid, status.last_tick)
             WHEN s.state = 'warning' THEN format('nothing is started since %s: paused', status.paused_since)
             ELSE format('process %s (%s) runs since %s', status.pid, status.host, status.started_at) END,
        CASE WHEN s.state = 'ok' THEN NULL
             WHEN NOT status.running THEN 'SELECT @extschema@.start_worker();'
             WHEN s.state = 'warning' THEN 'SELECT @extschema@.resume_jobs();'
             ELSE format('SELECT pg_terminate_backend(%s, 10000); SELECT @extschema@.start_worker();', status.pid)
        END) f;
END
$$;
COMMENT ON FUNCTION @extschema@.check_worker() IS 'for check_setup(): whether the worker runs and is well';
REVOKE ALL ON FUNCTION @extschema@.check_worker() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_worker() TO job_monitor;
