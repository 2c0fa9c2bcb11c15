CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'cron_unschedule'
AS $$
BEGIN
    DELETE FROM @scheduler@.member_job j
    WHERE j.job_id = (SELECT c.jobid FROM cron.job c WHERE c.jobid = unschedule.job_id);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'could not find valid entry for job %', job_id USING ERRCODE = 'internal_error';
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION cron.unschedule(bigint) IS 'deletes a job';
REVOKE ALL ON FUNCTION cron.unschedule(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.unschedule(bigint) TO job_scheduler;

CREATE FUNCTION cron.unschedule(job_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'cron_unschedule'
AS $$
BEGIN
    DELETE FROM @scheduler@.member_job j
    WHERE j.job_id = (SELECT c.jobid FROM cron.job c WHERE c.username = current_user AND c.jobname = unschedule.job_name);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'could not find valid entry for job ''%''', job_name USING ERRCODE = 'internal_error';
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION cron.unschedule(text) IS 'deletes the job of the current role with this name';
REVOKE ALL ON FUNCTION cron.unschedule(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cron.unschedule(text) TO job_scheduler;
