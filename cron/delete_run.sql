CREATE FUNCTION cron.delete_run() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- only the worker may write to the log; what is deleted is a row that the view shows to the current role
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM @scheduler@.job_log l WHERE l.jl_id = OLD.runid AND l.state <> 'running';
    RETURN CASE WHEN FOUND THEN OLD END;
END
$$;
COMMENT ON FUNCTION cron.delete_run() IS 'trigger: deletes a run that has ended from the log';
REVOKE ALL ON FUNCTION cron.delete_run() FROM PUBLIC;

CREATE TRIGGER delete_run INSTEAD OF DELETE ON cron.job_run_details
    FOR EACH ROW EXECUTE FUNCTION cron.delete_run();
