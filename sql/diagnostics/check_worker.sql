CREATE FUNCTION @internal@.check_worker() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker record;
    condition record;
BEGIN
    SELECT * INTO worker FROM @extschema@.worker_activity();
    SELECT * INTO condition FROM @extschema@.worker_condition();
    IF condition.code IS NULL THEN
        RETURN QUERY VALUES ('worker', 'ok', format('process %s (%s) runs since %s', worker.pid, worker.host, worker.started_at),
                             NULL);
    ELSE
        RETURN QUERY
        SELECT 'worker', r.state, condition.reason, r.remedy
        FROM @extschema@.worker_remedy(condition.code, condition.blockers) r;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_worker() IS 'for check_setup(): whether the worker runs and is well';
REVOKE ALL ON FUNCTION @extschema@.check_worker() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_worker() TO job_monitor;
