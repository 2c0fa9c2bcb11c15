CREATE FUNCTION @extschema@.check_retries() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing CONSTANT text := CASE
        WHEN NEW.max_retries IS NULL THEN 'max_retries'
        WHEN NEW.retry_delay IS NULL THEN 'retry_delay'
        WHEN NEW.max_retry_delay IS NULL THEN 'max_retry_delay'
        WHEN NEW.retry_on IS NULL THEN 'retry_on' END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% of a job cannot be NULL', missing
            USING ERRCODE = 'null_value_not_allowed',
                  DETAIL = 'It says how a failed run is tried again.',
                  HINT = 'Set max_retries to 0 for no retries, or leave it out to use its default.';
    END IF;
    IF NEW.max_retries NOT BETWEEN 0 AND 100 THEN
        RAISE EXCEPTION 'max_retries cannot be %', NEW.max_retries
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is how often a failed run is tried again.',
                  HINT = 'Choose 0 to 100; the default is 0.';
    END IF;
    IF NEW.retry_delay < '100 milliseconds' OR NEW.max_retry_delay < NEW.retry_delay
       OR NEW.max_retry_delay > '1 year' THEN
        RAISE EXCEPTION 'retries cannot be between % and % apart', NEW.retry_delay, NEW.max_retry_delay
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'The first retry comes retry_delay after the run has failed, each further one after twice '
                           'the time, up to max_retry_delay.',
                  HINT = 'Choose 100 milliseconds to 1 year, the second not shorter than the first; the defaults '
                         'are 1 minute and 1 hour.';
    END IF;
    IF NOT NEW.retry_on <@ '{connection,serialization,error,timeout,lost}' OR cardinality(NEW.retry_on) = 0 THEN
        RAISE EXCEPTION 'retry_on cannot be %', NEW.retry_on
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It lists the kinds of failure after which a run is tried again.',
                  HINT = 'connection: no session, or it broke; serialization: also a deadlock; error: any other '
                         'error of the command; timeout: job_timeout; lost: the worker or the server ended.';
    END IF;
    IF NEW.disable_after < 1 THEN
        RAISE EXCEPTION 'disable_after cannot be %', NEW.disable_after
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is after how many failures in a row the schedule is not followed any more.',
                  HINT = 'Choose 1 or more; the default is NULL: never.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.check_retries() IS
    'trigger: refuses what cannot be said of retries (22004, 22023)';
REVOKE ALL ON FUNCTION @extschema@.check_retries() FROM PUBLIC;

CREATE TRIGGER check_new_retries BEFORE INSERT ON @extschema@.job
    FOR EACH ROW WHEN (NEW.schedule_set_at IS NULL) EXECUTE FUNCTION @extschema@.check_retries();
CREATE TRIGGER check_changed_retries BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW
    WHEN ((NEW.max_retries, NEW.retry_delay, NEW.max_retry_delay, NEW.retry_on, NEW.disable_after)
          IS DISTINCT FROM (OLD.max_retries, OLD.retry_delay, OLD.max_retry_delay, OLD.retry_on, OLD.disable_after))
    EXECUTE FUNCTION @extschema@.check_retries();
