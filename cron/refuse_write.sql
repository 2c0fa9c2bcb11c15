CREATE FUNCTION cron.refuse_write() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'runs cannot be inserted or updated'
        USING ERRCODE = 'feature_not_supported',
              DETAIL = 'cron.job_run_details is the log of elephant_worker, which its worker writes.',
              HINT = 'Runs that have ended can be deleted.';
END
$$;
COMMENT ON FUNCTION cron.refuse_write() IS 'trigger: refuses to write to the log';
REVOKE ALL ON FUNCTION cron.refuse_write() FROM PUBLIC;

CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE ON cron.job_run_details
    FOR EACH ROW EXECUTE FUNCTION cron.refuse_write();
