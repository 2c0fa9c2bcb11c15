CREATE FUNCTION @internal@.report_definition() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- whoever may write to the views may not write arbitrary requests
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        INSERT INTO @extschema@.worker_request (kind, job_id, rolname) VALUES ('disable', NEW.job_id, NEW.rolname);
    ELSE
        INSERT INTO @extschema@.worker_request (kind, job_id, rolname) SELECT 'define', c.job_id, c.rolname FROM changed c;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_definition() IS
    'trigger: tells the worker of new, changed and deleted jobs, and of those that are disabled';
REVOKE ALL ON FUNCTION @extschema@.report_definition() FROM PUBLIC;

CREATE TRIGGER report_new_job AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
CREATE TRIGGER report_changed_job AFTER UPDATE ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();
-- A job that is enabled again when the worker looks at it has been disabled all the same.
CREATE TRIGGER report_disabled_job AFTER UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (OLD.enabled AND NOT NEW.enabled) EXECUTE FUNCTION @extschema@.report_definition();
CREATE TRIGGER report_deleted_job AFTER DELETE ON @extschema@.job
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.report_definition();

CREATE FUNCTION @internal@.report_commit() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- as report_definition()
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What a new job was due before is of no interest to anybody, as long as that is still to come.
    IF TG_OP = 'UPDATE' OR NEW.first_run_at <= clock_timestamp() THEN
        INSERT INTO @extschema@.worker_request (kind, job_id, rolname) VALUES ('define', NEW.job_id, NEW.rolname);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.report_commit() IS
    'trigger: tells the worker when the transaction that has set a schedule commits: what is due before that does not count';
REVOKE ALL ON FUNCTION @extschema@.report_commit() FROM PUBLIC;

-- Not of restored jobs, whose schedules were set long ago.
CREATE CONSTRAINT TRIGGER report_commit_of_new_job AFTER INSERT ON @extschema@.job
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.first_run_at IS NOT NULL AND NEW.schedule_set_at >= now())
    EXECUTE FUNCTION @extschema@.report_commit();
CREATE CONSTRAINT TRIGGER report_commit_of_new_schedule AFTER UPDATE ON @extschema@.job
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.schedule_set_at <> OLD.schedule_set_at) EXECUTE FUNCTION @extschema@.report_commit();
