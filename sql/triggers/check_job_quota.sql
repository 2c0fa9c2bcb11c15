CREATE FUNCTION @extschema@.check_job_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- counts in the table: through a view that takes four times as long
SET search_path = pg_catalog, pg_temp
SET jit = off -- compiling takes longer than counting
AS $$
DECLARE
    most CONSTANT integer := (SELECT s.max_jobs_per_role FROM @extschema@.worker_setting s);
    roles name[];
    role name;
BEGIN
    IF most IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_LEVEL = 'ROW' THEN
        roles := ARRAY[NEW.rolname];
    ELSE
        roles := ARRAY(SELECT DISTINCT c.rolname FROM changed c);
    END IF;
    FOREACH role IN ARRAY roles LOOP
        -- Counted no further than up to the limit.
        PERFORM FROM ONLY @extschema@.job j WHERE j.rolname = role OFFSET most LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'role "%" has reached max_jobs_per_role', role
                USING ERRCODE = 'configuration_limit_exceeded',
                      DETAIL = format('worker_setting.max_jobs_per_role is %s.', most),
                      HINT = 'Delete some of its jobs. A superuser can raise the limit, or define the job.';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.check_job_quota() IS
    'trigger: refuses jobs beyond worker_setting.max_jobs_per_role (53400)';
REVOKE ALL ON FUNCTION @extschema@.check_job_quota() FROM PUBLIC;

CREATE TRIGGER count_new_jobs AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT WHEN (NOT @extschema@.is_superuser()) EXECUTE FUNCTION @extschema@.check_job_quota();
CREATE TRIGGER count_changed_job AFTER UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.rolname <> OLD.rolname AND NOT @extschema@.is_superuser())
    EXECUTE FUNCTION @extschema@.check_job_quota();
