CREATE FUNCTION @internal@.check_name_is_free() RETURNS trigger
LANGUAGE plpgsql STABLE
SECURITY DEFINER -- looks the name up in the index, which a view does not; check_job() has seen that the role is one's own
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off -- the plan that a session keeps may be of a time when there were few jobs
SET jit = off -- what has no index would seem to be worth compiling
AS $$
BEGIN
    -- The unique index would refuse it too, in fewer words; for new jobs it must, since ON CONFLICT depends on it.
    IF EXISTS (SELECT FROM ONLY @extschema@.job j
               WHERE j.rolname = NEW.rolname AND j.job_name OPERATOR(@extschema@.===) NEW.job_name AND j.job_id <> NEW.job_id) THEN
        RAISE EXCEPTION 'role "%" already has a job named "%"', NEW.rolname, NEW.job_name
            USING ERRCODE = 'unique_violation',
                  DETAIL = 'Names are unique among the jobs of a role.',
                  HINT = 'Choose another name, or change the existing job with update_job().';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_name_is_free() IS
    'trigger: refuses a name that another job of the role has (23505)';
REVOKE ALL ON FUNCTION @extschema@.check_name_is_free() FROM PUBLIC;

-- After check_job, and before it goes on: triggers fire in the order of their names.
CREATE TRIGGER check_name_is_free BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.job_name IS NOT NULL
                       AND (NEW.job_name, NEW.rolname) IS DISTINCT FROM (OLD.job_name, OLD.rolname))
    EXECUTE FUNCTION @extschema@.check_name_is_free();
