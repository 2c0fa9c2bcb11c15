CREATE FUNCTION @internal@.check_jobs() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql STABLE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_well boolean;
BEGIN
    RETURN QUERY
    SELECT 'jobs', 'error', format('%s %s of role "%s" in database "%s"%s cannot run: %s', sum(j.jobs),
                                   CASE WHEN sum(j.jobs) = 1 THEN 'job' ELSE 'jobs' END, j.rolname, j.datname,
                                   coalesce(' on server "' || j.server || '"', ''), (o.error).message), o.remedy
    FROM (SELECT w.obstacle, w.rolname, w.datname, w.server, w.defined_by, count(*) AS jobs
          FROM @extschema@.job_for_worker w
          WHERE w.enabled AND w.obstacle IS NOT NULL
          GROUP BY w.obstacle, w.rolname, w.datname, w.server, w.defined_by) j
    CROSS JOIN LATERAL @extschema@.describe_obstacle(j.obstacle, j.rolname, j.datname, j.server, j.defined_by) o
    -- Who defined them makes a difference only where the words, or the remedy, name that role.
    GROUP BY j.rolname, j.datname, j.server, (o.error).message, o.remedy
    ORDER BY j.rolname, j.datname, o.remedy;
    is_well := NOT FOUND;
    -- Whoever drops, renames or copies a database is done in seconds, unless a transaction is left open. Anybody can
    -- wait for the right to, and keep all others out meanwhile.
    RETURN QUERY
    SELECT 'jobs', 'warning',
           format('jobs in database "%s" wait since %s: process %s (role "%s", %s) %s',
                  d.datname, coalesce(l.waitstart, a.xact_start), l.pid, a.usename, a.state,
                  CASE WHEN l.granted THEN 'drops, renames or copies it'
                       ELSE 'waits for a lock on it, and nobody can connect meanwhile' END),
           -- A large database may take long to copy.
           format(E'SELECT pid, state, state_change, query FROM pg_stat_activity WHERE pid = %s;\n-- to end that: %s',
                  l.pid, @extschema@.terminate_statement(l.pid))
    FROM pg_locks l JOIN pg_database d ON d.oid = l.objid JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND coalesce(l.waitstart, a.xact_start) < clock_timestamp() - interval '5 seconds'
      AND EXISTS (SELECT FROM @extschema@.all_job j WHERE j.datname = d.datname AND j.server IS NULL AND j.enabled);
    IF NOT FOUND AND is_well THEN
        RETURN QUERY VALUES ('jobs', 'ok', 'nothing is in the way of any job that is enabled', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_jobs() IS
    'for check_setup(): whether the roles, databases and rights that the jobs need are there';
REVOKE ALL ON FUNCTION @extschema@.check_jobs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_jobs() TO job_monitor;
GRANT SELECT ON @extschema@.job_for_worker TO job_monitor;
