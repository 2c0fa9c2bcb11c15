-- A column of a view means what the column of that name means in the table below it.
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT DISTINCT ON (v.oid, c.attnum)
               format('COMMENT ON COLUMN %s.%I IS %L', v.oid::regclass, c.attname, col_description(t.attrelid, t.attnum))
        FROM pg_class v
        JOIN pg_attribute c ON c.attrelid = v.oid AND c.attnum > 0
        JOIN pg_attribute t ON t.attname = c.attname AND t.attnum > 0
        JOIN (VALUES (1, '@extschema@.job'::regclass), (2, '@extschema@.job_state'), (3, '@extschema@.job_log'),
                     (4, '@extschema@.worker_request'), (5, '@extschema@.worker_state'),
                     (6, '@extschema@.job_statistic'), (7, '@extschema@.alert'),
                     (8, '@extschema@.job_change')) source (rank, oid)
             ON source.oid = t.attrelid
        WHERE v.relkind = 'v'
          AND v.oid IN (SELECT objid FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_class'::regclass)
          AND col_description(v.oid, c.attnum) IS NULL
        ORDER BY v.oid, c.attnum,
                 -- Log, alerts and history know the job's role, database and command as they were then.
                 CASE WHEN v.relname LIKE '%job_log' AND source.rank = 3 OR v.relname LIKE '%alert' AND source.rank = 7
                        OR v.relname LIKE '%job_change' AND source.rank = 8
                      THEN 0 ELSE source.rank END
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

COMMENT ON COLUMN @extschema@.all_job.retry_at IS 'when a run that has failed is tried again; NULL: there is none';
COMMENT ON COLUMN @extschema@.member_job.retry_at IS 'when a run that has failed is tried again; NULL: there is none';
COMMENT ON COLUMN @extschema@.my_job.retry_at IS 'when a run that has failed is tried again; NULL: there is none';
COMMENT ON COLUMN @extschema@.visible_job.retry_at IS 'when a run that has failed is tried again; NULL: there is none';

-- Defaults where clients look for them: in what they write to.
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', v.view, a.attname, pg_get_expr(d.adbin, d.adrelid))
        FROM (VALUES ('@extschema@.my_job'::regclass), ('@extschema@.member_job'), ('@extschema@.my_job_definition'),
                     ('@extschema@.member_job_definition')) v (view)
        CROSS JOIN pg_attrdef d
        JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        JOIN pg_attribute c ON c.attrelid = v.view AND c.attname = a.attname
        WHERE d.adrelid = '@extschema@.job'::regclass AND has_column_privilege('job_scheduler', v.view, c.attnum, 'INSERT')
        ORDER BY v.view, c.attnum
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

COMMENT ON COLUMN @extschema@.job_for_worker.role_oid IS 'the role; NULL if it does not exist';
COMMENT ON COLUMN @extschema@.job_for_worker.database_oid IS
    'the database; NULL if it does not exist or is on another server';
COMMENT ON COLUMN @extschema@.job_for_worker.obstacle_error IS 'the error that is logged for the obstacle';
COMMENT ON COLUMN @extschema@.job_for_worker.obstacle IS
    'what keeps the job from running, a code that describe_obstacle() explains; NULL: nothing';
COMMENT ON COLUMN @extschema@.job_for_worker.job_name IS 'what the job is called, for the log';
COMMENT ON COLUMN @extschema@.job_for_worker.expected_database_oid IS 'the database that the job was defined for';
COMMENT ON COLUMN @extschema@.job_for_worker.expected_database_owner IS 'the owner that the database had';
COMMENT ON COLUMN @extschema@.job_for_worker.expected_server_oid IS 'the foreign server that the job was defined for';
COMMENT ON COLUMN @extschema@.job_for_worker.row_version IS
    'the transaction that has written the row of the job: as long as it is the same, so is the row';
COMMENT ON COLUMN @extschema@.job_for_worker.version IS 'the version of the job; NULL for a command that belongs to no job';
