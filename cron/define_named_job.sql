CREATE FUNCTION cron.define_named_job(
    job_name text,
    schedule text,
    command text,
    database text,
    username text,
    active boolean
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET exit_on_error = off -- it catches some
AS $$
DECLARE
    missing CONSTANT text := CASE WHEN job_name IS NULL THEN 'job_name' WHEN schedule IS NULL THEN 'schedule'
                                  WHEN command IS NULL THEN 'command' END;
    owner CONSTANT text := coalesce(username, current_user);
    defined record;
    number bigint;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% can not be NULL', missing USING ERRCODE = 'internal_error';
    ELSIF username IS NOT NULL AND NOT @scheduler@.is_superuser() THEN
        RAISE EXCEPTION 'must be superuser to create a job for another role' USING ERRCODE = 'internal_error';
    END IF;
    database := coalesce(database, current_database());
    FOR attempt IN 1..2 LOOP
        SELECT j.* INTO defined FROM cron.job j WHERE j.username = owner AND j.jobname = define_named_job.job_name;
        IF FOUND THEN
            number := cron.save_job(ROW(defined.jobid, schedule, command, defined.nodename, defined.nodeport, database,
                                        owner, defined.active, job_name)::cron.job, owner);
            CONTINUE WHEN number IS NULL;
            RETURN number;
        END IF;
        BEGIN
            RETURN cron.save_job(ROW(NULL, schedule, command, 'localhost', current_setting('port'), database, owner,
                                     coalesce(active, true), job_name)::cron.job);
        EXCEPTION WHEN unique_violation THEN
            NULL; -- another session has just defined it, perhaps
        END;
    END LOOP;
    RAISE EXCEPTION 'role "%" already has a job named "%"', owner, job_name
        USING ERRCODE = 'unique_violation',
              DETAIL = 'It is not one of those in cron.job.',
              HINT = 'Choose another name, or delete that job.';
@one line of context@
END
$$;
COMMENT ON FUNCTION cron.define_named_job(text, text, text, text, text, boolean) IS
    'defines a job, or gives the one of this name and role another schedule, command and database';
REVOKE ALL ON FUNCTION cron.define_named_job(text, text, text, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.define_named_job(text, text, text, text, text, boolean) TO job_scheduler;
