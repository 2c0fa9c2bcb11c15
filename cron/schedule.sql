CREATE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'cron_schedule'
AS $$
BEGIN
    RETURN cron.save_job(ROW(NULL, schedule, command, 'localhost', current_setting('port'), current_database(), current_user,
                             true, NULL)::cron.job);
@one line of context@
END
$$;
COMMENT ON FUNCTION cron.schedule(text, text) IS
    'defines a job of the current role in this database, and returns its jobid';
REVOKE ALL ON FUNCTION cron.schedule(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.schedule(text, text) TO job_scheduler;

CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'cron_schedule'
AS $$
BEGIN
    RETURN cron.define_named_job(job_name, schedule, command, NULL, NULL, true);
@one line of context@
END
$$;
COMMENT ON FUNCTION cron.schedule(text, text, text) IS
    'the same for a job with a name; if the role has one of this name, it gets the schedule and the command';
REVOKE ALL ON FUNCTION cron.schedule(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.schedule(text, text, text) TO job_scheduler;
