CREATE FUNCTION cron.change_job() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET elephant_worker.call = 'cron_job'
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        -- What has been given to another role since it was shown is left alone, as it is by a DELETE of a table.
        DELETE FROM @scheduler@.member_job j WHERE j.job_id = OLD.jobid AND j.rolname = OLD.username;
        RETURN CASE WHEN FOUND THEN OLD END;
    ELSIF NEW.jobid IS DISTINCT FROM OLD.jobid THEN
        RAISE EXCEPTION 'nobody chooses the jobid of a job'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'It is the job_id of elephant_worker.',
                  HINT = 'Leave it out.';
    END IF;
    NEW.jobid := cron.save_job(NEW, OLD.username);
    RETURN CASE WHEN NEW.jobid IS NOT NULL THEN NEW END;
@one line of context@
END
$$;
COMMENT ON FUNCTION cron.change_job() IS 'trigger: defines, changes and deletes jobs of elephant_worker';
REVOKE ALL ON FUNCTION cron.change_job() FROM PUBLIC;

CREATE TRIGGER change_job INSTEAD OF INSERT OR UPDATE OR DELETE ON cron.job
    FOR EACH ROW EXECUTE FUNCTION cron.change_job();
