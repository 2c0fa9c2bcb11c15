CREATE FUNCTION cron.schedule_in_database(
    job_name text,
    schedule text,
    command text,
    database text,
    username text DEFAULT NULL,
    active boolean DEFAULT true
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'cron_schedule_in_database'
AS $$
BEGIN
    RETURN cron.define_named_job(job_name, schedule, command, database, username, active);
@one line of context@
END
$$;
COMMENT ON FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean) IS
    'as cron.schedule(), in another database, and for superusers as another role; only for superusers, unless EXECUTE is granted';
REVOKE ALL ON FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean) FROM PUBLIC;
