CREATE FUNCTION @extschema@.refuse_cycle() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER -- a cycle may lead through jobs that the current role cannot see; nothing of them is shown
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
BEGIN
    BEGIN
        UPDATE @extschema@.dependency_lock SET changes = changes + 1;
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION 'another transaction is changing what jobs run after'
            USING ERRCODE = 'lock_not_available',
                  DETAIL = 'Cycles can only be seen when such changes come one after the other. This one waited 5 seconds.',
                  HINT = 'Try again, or look in pg_stat_activity for a transaction that is left open.';
    END;
    IF EXISTS (
        WITH RECURSIVE before (job_id) AS (
            SELECT unnest(NEW.run_after)
            UNION
            SELECT unnest(j.run_after) FROM before b JOIN @extschema@.job j ON j.job_id = b.job_id)
        SELECT FROM before b WHERE b.job_id = NEW.job_id
    ) THEN
        RAISE EXCEPTION 'job % would run after itself', NEW.job_id
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('One of the jobs %s runs, directly or indirectly, after job %s.',
                                  array_to_string(NEW.run_after, ', '), NEW.job_id),
                  HINT = 'The view job_chain shows which jobs run after which.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.refuse_cycle() IS
    'trigger: refuses a change that would make a job run after itself (22023; 55P03 if another such change is not committed in time)';
REVOKE ALL ON FUNCTION @extschema@.refuse_cycle() FROM PUBLIC;

-- Only a change can close a cycle: nothing runs after a job that is new.
CREATE TRIGGER refuse_cycle BEFORE UPDATE ON @extschema@.job
    FOR EACH ROW WHEN (NEW.run_after IS NOT NULL AND NEW.run_after IS DISTINCT FROM OLD.run_after)
    EXECUTE FUNCTION @extschema@.refuse_cycle();
