CREATE FUNCTION @internal@.check_role_quota(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET jit = off -- compiling takes longer than counting
AS $$
DECLARE
    most CONSTANT integer := (SELECT s.max_jobs_per_role FROM @extschema@.worker_setting s);
BEGIN
    -- Counted no further than up to the limit; NULL is no limit.
    PERFORM FROM ONLY @extschema@.job j WHERE most IS NOT NULL AND j.rolname = role OFFSET most LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" has reached max_jobs_per_role', role
            USING ERRCODE = 'configuration_limit_exceeded',
                  DETAIL = format('worker_setting.max_jobs_per_role is %s.', most),
                  HINT = 'Delete some of its jobs. A superuser can raise the limit, or define the job.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.check_role_quota(name) IS
    'refuses more jobs of a role than worker_setting.max_jobs_per_role (53400)';
REVOKE ALL ON FUNCTION @extschema@.check_role_quota(name) FROM PUBLIC;

CREATE FUNCTION @internal@.check_job_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- counts in the table: through a view that takes four times as long
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        PERFORM @extschema@.check_role_quota(NEW.rolname);
    ELSE
        PERFORM @extschema@.check_role_quota(r.rolname) FROM (SELECT DISTINCT c.rolname FROM changed c) r;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.check_job_quota() IS
    'trigger: refuses jobs beyond worker_setting.max_jobs_per_role (53400) as soon as they are defined';
REVOKE ALL ON FUNCTION @extschema@.check_job_quota() FROM PUBLIC;

CREATE TRIGGER count_new_jobs AFTER INSERT ON @extschema@.job
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT WHEN (NOT @extschema@.is_superuser()) EXECUTE FUNCTION @extschema@.check_job_quota();
CREATE TRIGGER count_changed_job AFTER UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.rolname <> OLD.rolname AND NOT @extschema@.is_superuser())
    EXECUTE FUNCTION @extschema@.check_job_quota();

CREATE FUNCTION @internal@.recheck_job_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- locks the row of the role, which its users must not lock for longer
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Once in a transaction: for the last of its jobs.
        PERFORM FROM ONLY @extschema@.job j
        WHERE j.job_id > NEW.job_id AND j.rolname = NEW.rolname AND j.xmin = pg_current_xact_id()::xid
        ORDER BY j.job_id LIMIT 1;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO @extschema@.job_quota AS q (rolname) VALUES (NEW.rolname)
    ON CONFLICT (rolname) DO UPDATE SET changes = q.changes + 1;
    PERFORM @extschema@.check_role_quota(NEW.rolname);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.recheck_job_quota() IS
    'trigger: refuses, at the end of a transaction, jobs beyond worker_setting.max_jobs_per_role (53400) that others have defined at the same time';
REVOKE ALL ON FUNCTION @extschema@.recheck_job_quota() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER recount_new_jobs AFTER INSERT ON @extschema@.job
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NOT @extschema@.is_superuser()) EXECUTE FUNCTION @extschema@.recheck_job_quota();
CREATE CONSTRAINT TRIGGER recount_changed_job AFTER UPDATE ON @extschema@.job
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.rolname <> OLD.rolname AND NOT @extschema@.is_superuser())
    EXECUTE FUNCTION @extschema@.recheck_job_quota();
