CREATE FUNCTION @extschema@.check_name() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.job_name !~ '^\S(.*\S)?$' OR length(NEW.job_name) > 100 OR NEW.job_name ~ '^[0-9]+$' THEN
        RAISE EXCEPTION 'a job cannot be named "%"', left(NEW.job_name, 100)
            USING ERRCODE = 'invalid_name',
                  DETAIL = 'A name has 1 to 100 characters, does not begin or end with a blank, and is not a number.',
                  HINT = 'Functions take a job''s number or its name: the one must not look like the other.';
    END IF;
    -- The index would refuse it too, in fewer words.
    IF EXISTS (SELECT FROM @extschema@.member_job j
               WHERE j.rolname = NEW.rolname AND j.job_name = NEW.job_name AND j.job_id <> NEW.job_id) THEN
        RAISE EXCEPTION 'role "%" has a job named "%" already', NEW.rolname, NEW.job_name
            USING ERRCODE = 'unique_violation',
                  DETAIL = 'A role gives a name to one job only.',
                  HINT = 'Choose another name, or change the job that there is: update_job().';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_name() IS
    'trigger: refuses a name that is none, or that the role has given already (42602, 23505)';
REVOKE ALL ON FUNCTION @extschema@.check_name() FROM PUBLIC;

CREATE TRIGGER check_new_name BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL AND NEW.job_name IS NOT NULL)
    EXECUTE FUNCTION @extschema@.check_name();
CREATE TRIGGER check_changed_name BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.job_name IS NOT NULL
                       AND (NEW.job_name IS DISTINCT FROM OLD.job_name OR NEW.rolname <> OLD.rolname))
    EXECUTE FUNCTION @extschema@.check_name();
