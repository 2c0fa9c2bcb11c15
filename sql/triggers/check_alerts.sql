CREATE FUNCTION @extschema@.check_alerts() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.on_failure_command ~ '^\s*$' THEN
        RAISE EXCEPTION 'on_failure_command of a job cannot be empty'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'There is nothing to run.',
                  HINT = 'Give SQL, or NULL for nothing to be run after a failure.';
    END IF;
    IF NEW.expect_success_within < '1 second' THEN
        RAISE EXCEPTION 'expect_success_within cannot be %', NEW.expect_success_within
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how long the job may go without success before an alert says so.',
                  HINT = 'Choose 1 second or more, or NULL for no such alert.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_alerts() IS 'trigger: refuses what no alert can be made of (22023)';
REVOKE ALL ON FUNCTION @extschema@.check_alerts() FROM PUBLIC;

CREATE TRIGGER check_new_alerts BEFORE INSERT ON @extschema@.job
    FOR EACH ROW
    WHEN (NEW.schedule_set_at IS NULL AND (NEW.on_failure_command IS NOT NULL OR NEW.expect_success_within IS NOT NULL))
    EXECUTE FUNCTION @extschema@.check_alerts();
CREATE TRIGGER check_changed_alerts BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.on_failure_command IS NOT NULL OR NEW.expect_success_within IS NOT NULL)
    EXECUTE FUNCTION @extschema@.check_alerts();
