CREATE FUNCTION @internal@.report_definition() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- whoever may write to the views may not write arbitrary requests
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO @extschema@.worker_request (kind, job_id) SELECT 'define', c.job_id FROM changed c;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_definition() IS 'trigger: tells the worker of new, changed and deleted jobs';
REVOKE ALL ON FUNCTION @extschema@.report_definition() FROM PUBLIC;

CREATE TRIGGER report_new_job AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
CREATE TRIGGER report_changed_job AFTER UPDATE ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
CREATE TRIGGER report_deleted_job AFTER DELETE ON @extschema@.job
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
