CREATE FUNCTION @extschema@.check_values() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing CONSTANT text := CASE
        WHEN NEW.job_command IS NULL THEN 'job_command'
        WHEN NEW.datname IS NULL THEN 'datname'
        WHEN NEW.rolname IS NULL THEN 'rolname'
        WHEN NEW.enabled IS NULL THEN 'enabled'
        WHEN NEW.job_timeout IS NULL THEN 'job_timeout'
        WHEN NEW.parallel IS NULL THEN 'parallel'
        WHEN NEW.timezone IS NULL THEN 'timezone'
        WHEN NEW.dst IS NULL THEN 'dst'
        WHEN NEW.catch_up IS NULL THEN 'catch_up'
        WHEN NEW.catch_up_limit IS NULL THEN 'catch_up_limit' END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a job cannot be NULL', missing
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'Only schedule, job_description, starts_at, ends_at and start_deadline can.',
                  HINT = 'Give a value, or leave it out to use its default.';
    END IF;
    IF NEW.job_command ~ '^\s*$' THEN
        RAISE EXCEPTION 'the command of a job cannot be empty'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'There is nothing to run.',
                  HINT = 'Give SQL, one statement or several.';
    END IF;
    IF NEW.job_timeout <= '0' THEN
        RAISE EXCEPTION 'job_timeout must be longer than 0, not %', NEW.job_timeout
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how long a run may take before it is cancelled.',
                  HINT = 'The default is 6 hours; a run that may take very long needs a very long one, as 1 year.';
    END IF;
    IF NEW.start_deadline <= '0' THEN
        RAISE EXCEPTION 'start_deadline must be longer than 0, not %', NEW.start_deadline
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how late a run may start.',
                  HINT = 'The default is NULL: however late.';
    END IF;
    IF NEW.catch_up NOT IN ('skip', 'once', 'all') THEN
        RAISE EXCEPTION 'catch_up cannot be "%"', NEW.catch_up
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It says what becomes of due times at which no worker was there.',
                  HINT = 'skip (the default): nothing; once: one run for all; all: one run for each.';
    END IF;
    IF NEW.catch_up_limit NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'catch_up_limit cannot be %', NEW.catch_up_limit
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how many due times catch_up = all makes up for at the most.',
                  HINT = 'Choose 1 to 1000; the default is 100.';
    END IF;
    IF NEW.ends_at < NEW.starts_at OR NOT isfinite(NEW.starts_at) OR NOT isfinite(NEW.ends_at) THEN
        RAISE EXCEPTION 'the window from % to % is none', NEW.starts_at, NEW.ends_at
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'starts_at must be finite and not later than ends_at.',
                  HINT = 'NULL leaves a side open.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_values() IS 'trigger: refuses values that no job can have (22004, 22023)';
REVOKE ALL ON FUNCTION @extschema@.check_values() FROM PUBLIC;

-- A row that comes with schedule_set_at is one of a dump, which the views cannot give: it is kept
-- as it was.
CREATE TRIGGER check_new_values BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_values();
CREATE TRIGGER check_new_values BEFORE INSERT ON @extschema@.once_job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_values();
CREATE TRIGGER check_changed_values BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW EXECUTE FUNCTION @extschema@.check_values();
