CREATE FUNCTION cron.alter_job(
    job_id bigint,
    schedule text DEFAULT NULL,
    command text DEFAULT NULL,
    database text DEFAULT NULL,
    username text DEFAULT NULL,
    active boolean DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'cron_alter_job'
AS $$
DECLARE
    defined record;
    number bigint;
BEGIN
    IF job_id IS NULL THEN
        RAISE EXCEPTION 'job_id can not be NULL' USING ERRCODE = 'internal_error';
    ELSIF username IS NOT NULL AND NOT @scheduler@.is_superuser() THEN
        RAISE EXCEPTION 'must be superuser to alter username' USING ERRCODE = 'internal_error';
    ELSIF num_nonnulls(schedule, command, database, username, active) = 0 THEN
        RAISE EXCEPTION 'no updates specified'
            USING ERRCODE = 'internal_error', HINT = 'Give at least one attribute of the job to change.';
    END IF;
    SELECT j.* INTO defined FROM cron.job j WHERE j.jobid = alter_job.job_id;
    IF FOUND THEN
        number := cron.save_job(ROW(
            defined.jobid, coalesce(schedule, defined.schedule), coalesce(command, defined.command), defined.nodename,
            defined.nodeport, coalesce(database, defined.database), coalesce(username, defined.username),
            coalesce(active, defined.active), defined.jobname)::cron.job, defined.username);
    END IF;
    IF number IS NULL THEN
        RAISE EXCEPTION 'Job % does not exist or you don''t own it', job_id USING ERRCODE = 'internal_error';
    END IF;
@one line of context@
END
$$;
COMMENT ON FUNCTION cron.alter_job(bigint, text, text, text, text, boolean) IS
    'changes what is not NULL of a job; only for superusers, unless EXECUTE is granted';
REVOKE ALL ON FUNCTION cron.alter_job(bigint, text, text, text, text, boolean) FROM PUBLIC;
