\echo Use "ALTER EXTENSION elephant_worker UPDATE" to load this file. \quit

-- Whatever the session's search_path holds, the script refers to its own objects by @extschema@.
SET LOCAL search_path = pg_catalog, pg_temp;

-- New objects belong to whom the old ones belong to, whichever superuser updates.
SELECT set_config('role', r.rolname, true)
FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner
WHERE e.extname = 'elephant_worker' AND r.rolname <> current_user AND r.rolsuper;

-- Whoever wants a table waits behind this script, also the worker: so it waits only briefly itself, for
-- all tables at once and before it changes anything.
SET LOCAL lock_timeout = '2s';
DO $$
DECLARE
    members CONSTANT oid[] := ARRAY(SELECT d.objid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
                                    WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
                                      AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'elephant_worker'));
    holders text;
    remedy text;
BEGIN
    EXECUTE (SELECT format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', string_agg(m::regclass::text, ', ' ORDER BY m))
             FROM unnest(members) m);
EXCEPTION WHEN lock_not_available THEN
    SELECT string_agg(CASE WHEN h.pid IS NULL THEN format('The prepared transaction %L', h.gid)
                           ELSE format('Process %s (role %I, %s since %s)', h.pid, h.usename, h.state,
                                       to_char(h.state_change, 'HH24:MI:SS')) END
                      || format(' holds a lock on %s.', h.tables), ' '),
           string_agg(CASE WHEN h.pid IS NULL THEN format('COMMIT PREPARED %1$L, or if its application knows better, ROLLBACK PREPARED %1$L;', h.gid)
                           ELSE format('SELECT pg_terminate_backend(%s);', h.pid) END, ' ')
    INTO holders, remedy
    FROM (SELECT l.pid, a.usename, a.state, a.state_change, p.gid,
                 string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname) AS tables
          FROM pg_locks l
          JOIN pg_class c ON c.oid = l.relation
          LEFT JOIN pg_stat_activity a ON a.pid = l.pid
          LEFT JOIN pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid'
                                  AND x.virtualtransaction = l.virtualtransaction
          LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
          WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() AND l.relation = ANY (members)
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            -- Not who came while this script waited, as the worker does.
            AND (l.pid IS NULL OR a.xact_start < statement_timestamp())
          GROUP BY l.pid, a.usename, a.state, a.state_change, p.gid) h;
    RAISE EXCEPTION 'elephant_worker could not be updated: its tables are in use'
        USING ERRCODE = 'lock_not_available',
              DETAIL = coalesce(holders, 'Nobody holds a lock on them any more.'),
              HINT = 'Update again once that has ended'
                     || coalesce('; to end it now: ' || remedy, '.');
END
$$;

-- What is not in this list is new, and gets no privileges but those that the extension gives.
SELECT set_config('elephant_worker.members_before', string_agg(d.classid || ':' || d.objid, ' '), true)
FROM pg_depend d
WHERE d.deptype = 'e' AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'elephant_worker');

-- Triggers, and comments on the columns of views, are all made anew.
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        WITH member AS (SELECT d.classid, d.objid FROM pg_depend d
                        WHERE d.deptype = 'e'
                          AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'elephant_worker'))
        SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
        FROM pg_trigger t
        JOIN member f ON f.classid = 'pg_proc'::regclass AND f.objid = t.tgfoid
        JOIN member r ON r.classid = 'pg_class'::regclass AND r.objid = t.tgrelid
        WHERE NOT t.tgisinternal
        UNION ALL
        SELECT format('COMMENT ON COLUMN %s.%I IS NULL', v.oid::regclass, a.attname)
        FROM member m
        JOIN pg_class v ON v.oid = m.objid AND v.relkind = 'v'
        JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE m.classid = 'pg_class'::regclass AND col_description(v.oid, a.attnum) IS NOT NULL
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
