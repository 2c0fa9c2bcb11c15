CREATE FUNCTION @internal@.relation_locks(
    in_catalogs boolean,
    OUT pid integer, OUT granted boolean, OUT mode text, OUT relname text, OUT waitstart timestamptz,
    OUT virtualtransaction text, OUT is_strong boolean, OUT is_of_system boolean
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
AS $$
DECLARE
    own_database CONSTANT oid := (SELECT a.datid FROM pg_stat_get_activity(pg_backend_pid()) a);
BEGIN
    -- Anybody can wait for any of these. So none of them is read.
    IF in_catalogs THEN
        RETURN QUERY
        SELECT l.pid, l.granted, l.mode, l.relation::regclass::text, l.waitstart, l.virtualtransaction,
               l.mode = 'AccessExclusiveLock', true
        FROM (SELECT s.*, bool_or(s.mode = 'AccessExclusiveLock') OVER (PARTITION BY s.relation) AS is_in_the_way
              FROM pg_lock_status() s
              WHERE s.relation < 16384 -- what initdb has made
                AND s.database IN (0, own_database) AND s.pid IS DISTINCT FROM pg_backend_pid()) l
        WHERE l.is_in_the_way;
    END IF;
    BEGIN
        RETURN QUERY
        SELECT l.pid, l.granted, l.mode, c.relname::text, l.waitstart, l.virtualtransaction,
               -- What the worker only reads, and what it writes: tables and sequences.
               l.mode = 'AccessExclusiveLock'
               OR l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock')
                  AND c.relkind IN ('r', 'S') AND c.relname NOT IN ('job', 'worker_setting'),
               false
        FROM pg_lock_status() l
        JOIN pg_class c ON c.oid = l.relation
        JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
        JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'elephant_worker'
        WHERE l.database = own_database AND l.pid IS DISTINCT FROM pg_backend_pid();
    EXCEPTION WHEN lock_not_available THEN
        IF NOT in_catalogs THEN
            RAISE;
        END IF; -- what is in the way of that has been found
    END;
END
$$;
COMMENT ON FUNCTION @extschema@.relation_locks(boolean) IS
    'for locks_in_the_way(): the locks of others on what is the extension''s, also those on what is the system''s and somebody keeps or waits to keep all others out of';
REVOKE ALL ON FUNCTION @extschema@.relation_locks(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.relation_locks(boolean) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.locks_in_the_way(
    older_than interval, in_catalogs boolean,
    -- Who has it, or waits for it, and which tables that concerns; whom one that waits for it waits for; whether reading waits too.
    OUT found text, OUT before_it text, OUT since timestamptz, OUT keeps_readers_out boolean, OUT remedy text
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH own AS MATERIALIZED (SELECT * FROM @extschema@.relation_locks(in_catalogs)),
    described AS (
        SELECT o.pid, o.granted, o.mode, o.relname, o.is_strong, o.waitstart, a.xact_start, p.gid,
               coalesce(a.xact_start, p.prepared) AS since,
               CASE WHEN o.pid IS NULL THEN format('the prepared transaction %L', p.gid)
                    WHEN a.usesysid IS NULL AND pg_is_in_recovery() THEN 'the primary'
                    -- The state, and times, of others' sessions are hidden from ordinary roles. To look a name up would
                    -- wait for a lock on the roles.
                    ELSE format('process %s', o.pid)
                         || coalesce(' (' || nullif(concat_ws(', ',
                                CASE WHEN NOT o.is_of_system THEN format('role "%s"', pg_get_userbyid(a.usesysid)) END,
                                a.state), '') || ')', '') END AS holder,
               a.usesysid IS NULL AND o.pid IS NOT NULL AND pg_is_in_recovery() AS is_of_primary
        FROM own o
        LEFT JOIN pg_stat_get_activity(NULL) a ON a.pid = o.pid
        -- A prepared transaction has no process; it keeps its own number locked.
        LEFT JOIN pg_lock_status() n ON o.pid IS NULL AND n.pid IS NULL AND n.locktype = 'transactionid'
                                AND n.virtualtransaction = o.virtualtransaction
        LEFT JOIN pg_prepared_xact() p ON p.transaction = n.transactionid)
    SELECT format('%s keeps %s locked%s', h.holder, string_agg(DISTINCT h.relname, ', '), ' since ' || h.since), NULL, h.since,
           bool_or(h.mode = 'AccessExclusiveLock'),
           CASE WHEN h.is_of_primary THEN 'SELECT * FROM @extschema@.check_setup(); -- on the primary'
                WHEN h.gid IS NULL THEN @extschema@.terminate_statement(h.pid)
                ELSE @extschema@.end_prepared_statement(h.gid) END
    FROM described h
    WHERE h.granted AND h.is_strong AND coalesce(h.xact_start < clock_timestamp() - older_than, true)
    GROUP BY h.holder, h.pid, h.gid, h.is_of_primary, h.since
    UNION ALL
    -- Whoever waits for a strong lock has everybody wait who comes later, readers too.
    SELECT format('%s waits%s for a lock on %s', w.holder, ' since ' || w.waitstart, string_agg(DISTINCT w.relname, ', ')),
           string_agg(DISTINCT h.holder || ' has read or changed that table', ', '), w.waitstart,
           bool_or(w.mode = 'AccessExclusiveLock'),
           format('SELECT pg_cancel_backend(%s); -- or end whoever it waits for', w.pid)
    FROM described w JOIN described h ON h.relname = w.relname AND h.granted AND h.pid IS DISTINCT FROM w.pid
    WHERE NOT w.granted AND w.is_strong AND coalesce(w.waitstart < clock_timestamp() - older_than, true)
    GROUP BY w.holder, w.pid, w.waitstart;
END
$$;
COMMENT ON FUNCTION @extschema@.locks_in_the_way(interval, boolean) IS
    'for check_locks() and problem: who keeps tables, views or sequences locked that the worker reads or writes, also those of the system if that is asked for, or waits for such a lock, for longer than this';
REVOKE ALL ON FUNCTION @extschema@.locks_in_the_way(interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.locks_in_the_way(interval, boolean) TO job_scheduler, job_monitor;

CREATE FUNCTION @internal@.check_locks(older_than interval DEFAULT '5 seconds', in_catalogs boolean DEFAULT false)
RETURNS SETOF @extschema@.setup_finding
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'locks', 'error',
           l.found || coalesce(', and the worker behind it: ' || l.before_it, ', for which the worker waits again and again'), l.remedy
    FROM @extschema@.locks_in_the_way(older_than, in_catalogs) l;
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('locks', 'ok', 'nobody keeps a table of the worker locked', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_locks(interval, boolean) IS 'for check_setup(): see locks_in_the_way()';
REVOKE ALL ON FUNCTION @extschema@.check_locks(interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.check_locks(interval, boolean) TO job_monitor;
