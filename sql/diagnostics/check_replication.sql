CREATE FUNCTION @internal@.check_replication() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    subscriptions text;
BEGIN
    SELECT string_agg(DISTINCT format('"%s"', s.subname), ', ') INTO subscriptions
    FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
    JOIN pg_roles o ON o.oid = s.subowner AND o.rolsuper -- others write nothing here, and are not to have the worker stopped
    WHERE r.srrelid = '@extschema@.job'::regclass AND s.subenabled;
    IF subscriptions IS NOT NULL AND @extschema@.worker_pid() IS NOT NULL THEN
        RETURN QUERY VALUES ('replication', 'warning',
            format('the subscription %s brings the jobs of another cluster, which run in both; and runs here get numbers that will come from there, too, which ends the subscription',
                   subscriptions),
            'SELECT @extschema@.stop_worker();');
    ELSE
        RETURN QUERY VALUES ('replication', 'ok', 'no jobs of another cluster run here too', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_replication() IS
    'for check_setup(): whether the worker runs jobs that logical replication brings from another cluster';
REVOKE ALL ON FUNCTION @extschema@.check_replication() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_replication() TO job_monitor;
