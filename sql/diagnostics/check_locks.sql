CREATE FUNCTION @extschema@.check_locks() RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'locks', 'error',
           format('process %s (role "%s") keeps %s locked since %s, for which the worker waits again and again',
                  l.pid, a.usename, string_agg(c.relname, ', ' ORDER BY c.relname), a.xact_start),
           format('SELECT pg_terminate_backend(%s);', l.pid)
    FROM pg_locks l
    JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
    JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'
    JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
    JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'elephant_worker'
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.granted
      -- What the worker only reads, and what it writes.
      AND (l.mode = 'AccessExclusiveLock'
           OR l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock')
              AND c.relname NOT IN ('job', 'worker_setting'))
      AND coalesce(a.xact_start < clock_timestamp() - interval '5 seconds', true)
    GROUP BY l.pid, a.usename, a.xact_start;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('locks', 'ok', 'nobody keeps a table of the worker locked', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_locks() IS
    'for check_setup(): whether somebody keeps tables locked that the worker reads or writes';
REVOKE ALL ON FUNCTION @extschema@.check_locks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_locks() TO job_monitor;
