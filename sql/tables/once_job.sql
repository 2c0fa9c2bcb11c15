-- What run_once() has requested and the worker has not yet started. It has the columns of job, so that the same
-- checks and the same way to run serve both. The worker deletes a row when it starts the run; it must not find it
-- locked by a user, so nobody else may change or delete rows here.
CREATE TABLE @extschema@.once_job (PRIMARY KEY (job_id)) INHERITS (@extschema@.job);
-- Counted down, so that none of these numbers is ever a job's.
ALTER TABLE @extschema@.once_job ALTER COLUMN job_id
    ADD GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1 START WITH -1 MAXVALUE -1);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.once_job_job_id_seq', '');
-- As that of job.
GRANT SELECT ON SEQUENCE @extschema@.once_job_job_id_seq TO job_scheduler;

COMMENT ON TABLE @extschema@.once_job IS 'runs requested by run_once() that have not started; see member_once_job';
DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', child.attrelid::regclass, child.attname,
                      col_description(parent.attrelid, parent.attnum))
        FROM pg_attribute child JOIN pg_attribute parent ON parent.attname = child.attname
        WHERE child.attrelid = '@extschema@.once_job'::regclass AND parent.attrelid = '@extschema@.job'::regclass
          AND child.attnum > 0
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
