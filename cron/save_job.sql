CREATE FUNCTION cron.save_job(given cron.job, shown_of text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_local CONSTANT boolean := given.nodename IN ('localhost', '127.0.0.1', '::1', '') OR given.nodename LIKE '/%';
    foreign_server CONSTANT name := CASE WHEN NOT is_local THEN given.nodename END;
    known @scheduler@.member_job;
    entry text;
    answer record;
    zone CONSTANT text := coalesce(cron.site_setting('timezone'), 'GMT');
    -- pg_cron looks at each minute, and at what the clock shows then.
    clock_changes CONSTANT text := CASE WHEN zone IN ('GMT', 'UTC') THEN 'cron' ELSE 'wall' END;
    number bigint;
BEGIN
    IF given.nodeport <> current_setting('port')::integer THEN
        RAISE EXCEPTION 'a job cannot run at port %', given.nodeport
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = format('Port %s is that of this server.', current_setting('port')),
                  HINT = 'To run it on another server, CREATE SERVER, and give the name of that as nodename.';
    END IF;
    IF given.jobid IS NOT NULL THEN
        SELECT j.* INTO known FROM @scheduler@.member_job j WHERE j.job_id = given.jobid FOR UPDATE;
        IF known.rolname IS DISTINCT FROM shown_of THEN
            RETURN NULL; -- it has been given to another role since, or deleted
        END IF;
    END IF;
    IF known.schedule IS DISTINCT FROM given.schedule THEN
        SELECT * INTO answer FROM @scheduler@.read_pg_cron_schedule(
            given.schedule, coalesce(cron.site_setting('match_dom_and_dow')::boolean, false));
        PERFORM @scheduler@.raise_error(answer.user_error);
        entry := answer.entry;
    END IF;
    IF given.jobid IS NULL THEN
        INSERT INTO @scheduler@.member_job
            (job_name, job_command, datname, server, schedule, timezone, dst, rolname, enabled, job_timeout, part)
        VALUES
            (given.jobname, given.command, given.database, foreign_server, entry, zone, clock_changes, given.username,
             given.active, '1 year', 'pg_cron')
        RETURNING job_id INTO number;
        PERFORM @scheduler@.report_reason();
        RETURN number;
    END IF;
    UPDATE @scheduler@.member_job j
    SET job_name = given.jobname, job_command = given.command, datname = given.database, server = foreign_server,
        schedule = coalesce(entry, j.schedule), rolname = given.username, enabled = given.active,
        timezone = CASE WHEN entry IS NULL THEN j.timezone ELSE zone END,
        dst = CASE WHEN entry IS NULL THEN j.dst ELSE clock_changes END
    WHERE j.job_id = given.jobid
      AND (j.job_name, j.job_command, j.datname, j.server, j.schedule, j.rolname, j.enabled)
          IS DISTINCT FROM
          (given.jobname, given.command, given.database::name, foreign_server, coalesce(entry, j.schedule),
           given.username::name, given.active);
    RETURN given.jobid;
@one line of context@
END
$$;
COMMENT ON FUNCTION cron.save_job(cron.job, text) IS
    'defines a job, or changes the one with this jobid to that, unless it is not of the role any more that it was shown of (NULL); a schedule that is new is read as pg_cron reads it';
REVOKE ALL ON FUNCTION cron.save_job(cron.job, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.save_job(cron.job, text) TO job_scheduler;
