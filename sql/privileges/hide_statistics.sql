-- The estimates of EXPLAIN follow the statistics of a table also for a user who may not read it: a comparison
-- that is leakproof would find commands and messages in them, letter by letter. So none are kept of what users have
-- written; what the worker does with these tables goes by numbers and moments.
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format(CASE t.relkind WHEN 'r' THEN 'ALTER TABLE %1$s ALTER COLUMN %2$I SET STATISTICS 0'
                                     -- Of expressions in indexes, which have no names.
                                     ELSE 'ALTER INDEX %1$s ALTER COLUMN %3$s SET STATISTICS 0' END,
                      c.attrelid::regclass, c.attname, c.attnum)
        FROM pg_class t
        LEFT JOIN pg_index i ON i.indexrelid = t.oid
        JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
                               AND (t.relkind = 'r' OR i.indkey[c.attnum - 1] = 0)
        WHERE coalesce(i.indrelid, t.oid) IN (SELECT d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass
                          AND d.deptype = 'e' AND e.extname = 'elephant_worker')
          AND c.atttypid IN ('text'::regtype, 'name'::regtype, 'jsonb'::regtype, 'text[]'::regtype, 'name[]'::regtype)
          -- How many jobs and runs a role has is no secret.
          AND c.attname <> 'rolname' AND (t.relname, c.attname) NOT IN (('worker_request', 'kind'), ('worker_request', 'cause'))
        ORDER BY t.oid, c.attnum
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
