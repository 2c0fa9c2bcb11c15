CREATE FUNCTION @internal@.check_locks(older_than interval DEFAULT '5 seconds') RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH own AS MATERIALIZED (
        SELECT l.pid, l.granted, l.mode, c.relname, l.waitstart, l.virtualtransaction,
               -- What the worker only reads, and what it writes.
               l.mode = 'AccessExclusiveLock'
               OR l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock')
                  AND c.relname NOT IN ('job', 'worker_setting') AS is_strong
        FROM pg_locks l
        JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
        JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'
        JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
        JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'elephant_worker'
        WHERE l.pid IS DISTINCT FROM pg_backend_pid()),
    described AS (
        SELECT o.pid, o.granted, o.relname, o.is_strong, o.waitstart, a.xact_start, p.gid,
               CASE WHEN o.pid IS NULL THEN format('the prepared transaction %L', p.gid)
                    ELSE format('process %s (role "%s", %s)', o.pid, a.usename, a.state) END AS holder
        FROM own o
        LEFT JOIN pg_stat_activity a ON a.pid = o.pid
        -- A prepared transaction has no process; it keeps its own number locked.
        LEFT JOIN pg_locks n ON o.pid IS NULL AND n.pid IS NULL AND n.locktype = 'transactionid'
                                AND n.virtualtransaction = o.virtualtransaction
        LEFT JOIN pg_prepared_xacts p ON p.transaction = n.transactionid)
    SELECT 'locks', 'error',
           format('%s keeps %s locked since %s, for which the worker waits again and again',
                  h.holder, string_agg(DISTINCT h.relname, ', '), h.xact_start),
           CASE WHEN h.gid IS NULL THEN @extschema@.terminate_statement(h.pid)
                ELSE format(E'SELECT * FROM pg_prepared_xacts WHERE gid = %1$s;\n-- its application knows which: COMMIT PREPARED %1$s;\n-- or: ROLLBACK PREPARED %1$s;',
                            @extschema@.quote_literal_in_one_line(h.gid)) END
    FROM described h
    WHERE h.granted AND h.is_strong AND coalesce(h.xact_start < clock_timestamp() - older_than, true)
    GROUP BY h.holder, h.pid, h.gid, h.xact_start
    UNION ALL
    -- Whoever waits for a strong lock has everybody wait who comes later, readers too.
    SELECT 'locks', 'error',
           format('%s waits since %s for a lock on %s, and the worker behind it: %s', w.holder, w.waitstart,
                  string_agg(DISTINCT w.relname, ', '), string_agg(DISTINCT h.holder || ' has read or changed that table', ', ')),
           format('SELECT pg_cancel_backend(%s); -- or end whoever it waits for', w.pid)
    FROM described w JOIN described h ON h.relname = w.relname AND h.granted AND h.pid IS DISTINCT FROM w.pid
    WHERE NOT w.granted AND w.is_strong AND coalesce(w.waitstart < clock_timestamp() - older_than, true)
    GROUP BY w.holder, w.pid, w.waitstart;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('locks', 'ok', 'nobody keeps a table of the worker locked', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_locks(interval) IS
    'for check_setup(): whether somebody keeps tables locked that the worker reads or writes, or waits for such a lock, for longer than this';
REVOKE ALL ON FUNCTION @extschema@.check_locks(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_locks(interval) TO job_monitor;
