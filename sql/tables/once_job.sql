-- What run_once() has asked for and the worker has not yet begun. It has the columns of job, so that
-- one check and one way to run serve both; the worker deletes a row when it takes it, which it could
-- not where a user holds a lock on it: here nobody may change or delete.
CREATE TABLE @extschema@.once_job (PRIMARY KEY (job_id)) INHERITS (@extschema@.job);
-- Counted down, so that none of these numbers is ever a job's.
ALTER TABLE @extschema@.once_job ALTER COLUMN job_id
    ADD GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1 START WITH -1 MAXVALUE -1);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.once_job_job_id_seq', '');

COMMENT ON TABLE @extschema@.once_job IS 'runs that were asked for by run_once() and have not started; see member_once_job';
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
